import { Type } from 'typebox';
import type { InputProblem } from '../../errors.ts';
import { comparisons } from '../../myntrix/telemetry-condition.ts';
import { literals } from '../../wire.ts';
import { DurationOrText, durationProblem } from '../dsl/base.ts';
import { type DurationObject, durationMs } from '../duration.ts';
import { isExpression } from '../expressions.ts';
import { MetricName } from '../telemetry.ts';
import type { Verb } from '../verbs.ts';

const DAY_MS = 86_400_000;
export const WAIT_LIMIT_MS = 365 * DAY_MS;
const defaults = { for: 'PT0S', max_gap: 'PT5S', timeout: 'PT1H' } as const;

/** `telemetry.wait_for`: the run waits until what a device measures is as wanted. */
export const telemetryWait = {
  name: 'telemetry.wait_for',
  summary: 'Waits until a condition on what a device measures holds',
  with: Type.Object(
    {
      device: Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'its id, or its name when only one has it',
      }),
      metric: MetricName,
      condition: literals(comparisons),
      value: Type.Number(),
      for: Type.Optional(DurationOrText),
      max_gap: Type.Optional(DurationOrText),
      timeout: Type.Optional(DurationOrText),
    },
    {
      additionalProperties: false,
      examples: [
        { device: 'printer', metric: 'B', condition: '>=', value: 60, for: 'PT10S', timeout: 'PT10M' },
      ],
    },
  ),
  check: (args) =>
    (['for', 'max_gap', 'timeout'] as const).flatMap((name): InputProblem[] => {
      const value = args[name];
      const message = isExpression(value) ? undefined : (durationProblem(value) ?? outside(name, value));
      return message === undefined ? [] : [{ path: `/${name}`, message }];
    }),
  // It only reads.
  idempotent: true,
  queue: 'waits',
  waits: true,
} satisfies Verb;

/** The durations of a wait, with what was left out. @throws never for arguments that were checked */
export function waitTimes(args: { [name in keyof typeof defaults]?: string | DurationObject }) {
  const ms = (name: keyof typeof defaults): number => {
    const found = durationMs(args[name] ?? defaults[name]);
    return typeof found === 'number' ? found : 0;
  };
  return { forMs: ms('for'), maxGapMs: ms('max_gap'), timeoutMs: ms('timeout') };
}

function outside(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const ms = durationMs(value as string | DurationObject); // the schema has been asked
  if (typeof ms !== 'number') return undefined;
  if (ms > WAIT_LIMIT_MS) return 'is longer than 365 days';
  return ms === 0 && name !== 'for' ? 'must be longer than nothing' : undefined;
}
