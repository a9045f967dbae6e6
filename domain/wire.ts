import { type TSchema, Type } from 'typebox';
import { errorCodes } from './errors.ts';

/** Pieces of the public contract that every module uses. */
export const Id = Type.String({ format: 'uuid', description: 'UUIDv7' });

/** ISO 8601 UTC with milliseconds. */
export const Time = Type.String({ format: 'date-time', examples: ['2026-11-21T09:30:00.000Z'] });

export const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

export const literals = <const V extends readonly string[]>(values: V) =>
  Type.Unsafe<V[number]>(Type.Enum([...values]));

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export const AnyJson = Type.Unsafe<Json>({ description: 'Any JSON value' });

export const IdParams = Type.Object({ id: Id });

/** Query of every list; without `limit` up to 1,000 entries come at once. */
export const PageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
  cursor: Type.Optional(
    Type.String({ format: 'uuid', description: 'from the Link header of the page before' }),
  ),
};

/** RFC 9457 problem details. */
export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.Enum(errorCodes),
    request_id: Type.String(),
    errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
  },
  { $id: 'Problem' },
);
