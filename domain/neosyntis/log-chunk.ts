import { type Static, Type } from 'typebox';

/** `LogChunk` of code.ts as it is checked where it arrives: what comes over the bus may be anything. */
export const LogChunkMessage = Type.Object(
  {
    run_id: Type.String({ pattern: '^[0-9a-f-]{36}$' }),
    path: Type.String({ maxLength: 20_000 }),
    iteration: Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 100 }),
    /** Of the step; 1 when it is left out. */
    attempt: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
    stream: Type.Union([Type.Literal('stdout'), Type.Literal('stderr')]),
    offset: Type.Integer({ minimum: 0 }),
    length: Type.Integer({ minimum: 0 }),
    text: Type.String({ maxLength: 100_000 }),
    at: Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z$' }),
  },
  { additionalProperties: false },
);
export type LogChunkMessage = Static<typeof LogChunkMessage>;
