import { type Static, Type } from 'typebox';
import { SecretName } from '../secrets.ts';
import { expression, Timeout, tasks } from './base.ts';
import { RaisedError } from './raise.ts';
import { RetryPolicy } from './try.ts';

const name = Type.String({ minLength: 1, maxLength: 200 });

/** What `extend` names; `all` is every task. */
export const extendable = {
  call: ['call'],
  composite: ['do', 'fork'],
  emit: ['emit'],
  for: ['for'],
  listen: ['listen'],
  raise: ['raise'],
  run: ['run'],
  set: ['set'],
  switch: ['switch'],
  try: ['try'],
  wait: ['wait'],
} as const;

/** Tasks that run around others. */
export const Extension = Type.Object(
  {
    extend: Type.Unsafe<string>(
      Type.Union([...Object.keys(extendable), 'all'].map((one) => Type.Literal(one))),
    ),
    when: Type.Optional(expression('Whether it applies to the task that `$task` tells of')),
    before: Type.Optional(tasks()),
    after: Type.Optional(tasks()),
  },
  { additionalProperties: false },
);
export type Extension = Static<typeof Extension>;

/** Checked where it stands once it is written out. */
const anything = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description });

/** Where functions are, that calls name as `name:version@catalog`; `endpoint` is checked as a call's. */
const Catalog = Type.Object({ endpoint: Type.Unknown() }, { additionalProperties: false });

/** `use` of a document: what its tasks name instead of writing it out. */
export const Use = Type.Object(
  {
    catalogs: Type.Optional(Type.Record(name, Catalog)),
    authentications: Type.Optional(Type.Record(name, anything('An authentication policy'))),
    errors: Type.Optional(Type.Record(name, RaisedError)),
    functions: Type.Optional(Type.Record(name, anything('A task'))),
    retries: Type.Optional(Type.Record(name, RetryPolicy)),
    secrets: Type.Optional(Type.Array(SecretName, { maxItems: 1_000 })),
    timeouts: Type.Optional(Type.Record(name, Timeout)),
    extensions: Type.Optional(
      Type.Array(Type.Record(name, Extension, { minProperties: 1, maxProperties: 1 }), { maxItems: 100 }),
    ),
  },
  { additionalProperties: false },
);
export type Use = Static<typeof Use>;
