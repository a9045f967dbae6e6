import { Type } from 'typebox';

const WAIT_LIMIT_S = 60;

/** Of orders whose answer may come once they are done. */
export const WaitQuery = Type.Object(
  { wait: Type.Optional(Type.Integer({ minimum: 0, maximum: WAIT_LIMIT_S, description: 'seconds' })) },
  { additionalProperties: false },
);
