import { type Static, Type } from 'typebox';
import { SecretName } from '../secrets.ts';
import { Timeout } from './base.ts';
import { RaisedError } from './raise.ts';
import { RetryPolicy } from './try.ts';

const name = Type.String({ minLength: 1, maxLength: 200 });

/** Checked where it stands once it is written out. */
const anything = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description });

/** `use` of a document: what its tasks name instead of writing it out. */
export const Use = Type.Object(
  {
    authentications: Type.Optional(Type.Record(name, anything('An authentication policy'))),
    errors: Type.Optional(Type.Record(name, RaisedError)),
    functions: Type.Optional(Type.Record(name, anything('A task'))),
    retries: Type.Optional(Type.Record(name, RetryPolicy)),
    secrets: Type.Optional(Type.Array(SecretName, { maxItems: 1_000 })),
    timeouts: Type.Optional(Type.Record(name, Timeout)),
  },
  { additionalProperties: false },
);
export type Use = Static<typeof Use>;

/** Parts of `use` that the specification has and we do not. */
export const refusedUses = ['catalogs', 'extensions'];
