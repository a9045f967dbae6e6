import { type Static, Type } from 'typebox';
import { literals, nullable, Time } from '../wire.ts';

/** Parts of the machine that the product reads or uses; each has a flag, `VAREON_MOCK_<NAME>`. */
export const systemFunctions = [
  'system_metrics',
  'file_system',
  'network_interfaces',
  'processes',
  'serial',
] as const;
export type SystemFunction = (typeof systemFunctions)[number];

/** As the environment spells it. */
export const mockFlag = <F extends SystemFunction>(name: F) =>
  `VAREON_MOCK_${name.toUpperCase() as Uppercase<F>}` as const; // toUpperCase does what Uppercase says

/** On what was read: absent when it is real. */
export const mockedFields = {
  mocked: Type.Optional(Type.Literal(true, { description: 'not measured: `reason` says why' })),
  reason: Type.Optional(Type.String({ maxLength: 500 })),
};
export interface Mocked {
  mocked?: true;
  reason?: string;
}

/** A function that a host cannot give, or is told not to: made-up values take its place. */
export const Fallback = Type.Object({
  function: literals(systemFunctions),
  mocked: Type.Literal(true),
  reason: Type.String({ maxLength: 500 }),
  since: Time,
});
export type Fallback = Static<typeof Fallback>;

/** Something that is not as it should be, and why. */
export const Degraded = Type.Object(
  {
    function: Type.String({
      description: `a part of /ready, or a function of a host: ${systemFunctions.join(', ')}`,
      examples: ['system_metrics'],
    }),
    host: nullable(Type.String({ examples: ['local'] })),
    mocked: Type.Boolean({ description: 'made-up values take its place' }),
    reason: Type.String({ examples: ['VAREON_MOCK_SYSTEM_METRICS=true'] }),
    since: nullable(Time),
  },
  { $id: 'Degraded' },
);
export type Degraded = Static<typeof Degraded>;
