import { type Static, Type } from 'typebox';
import { Timeout } from './base.ts';
import { RaisedError } from './raise.ts';
import { RetryPolicy } from './try.ts';

const name = Type.String({ minLength: 1, maxLength: 200 });

/** `use` of a document: what its tasks name instead of writing it out. */
export const Use = Type.Object(
  {
    errors: Type.Optional(Type.Record(name, RaisedError)),
    retries: Type.Optional(Type.Record(name, RetryPolicy)),
    timeouts: Type.Optional(Type.Record(name, Timeout)),
  },
  { additionalProperties: false },
);
export type Use = Static<typeof Use>;

/** Parts of `use` that the specification has and we do not. */
export const refusedUses = ['authentications', 'catalogs', 'extensions', 'functions', 'secrets'];
