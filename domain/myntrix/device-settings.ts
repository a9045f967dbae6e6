import { type Static, Type } from 'typebox';
import { Id, nullable, Time } from '../wire.ts';

/** What a device is to be set to, what it says that it is set to, and the difference. */

export const SETTINGS_LIMIT = 100;
const closed = { additionalProperties: false } as const;

const NAME = '^[A-Za-z_$][A-Za-z0-9_.$ -]{0,59}$';
const Value = Type.Union([
  Type.Number(),
  Type.Boolean(),
  Type.String({ maxLength: 200, pattern: '^[^\\u0000-\\u001f]*$' }),
]);
export type SettingValue = Static<typeof Value>;

const values = (description: string) =>
  Type.Record(Type.String({ pattern: NAME }), Value, {
    ...closed,
    maxProperties: SETTINGS_LIMIT,
    description,
  });
export type SettingValues = Record<string, SettingValue>;

/** One line: nothing else goes with it. */
const command = { minLength: 1, maxLength: 250, pattern: '^[^\\u0000-\\u001f\\u007f]*$' };

/** How one setting is written and read, where its protocol has no own way. */
export const SettingWay = Type.Object(
  {
    set: Type.Optional(
      Type.String({
        ...command,
        description: 'the command, with {value} in it',
        examples: ['VOLT {value}'],
      }),
    ),
    get: Type.Optional(
      Type.String({
        ...command,
        description: 'the command that asks for it',
        examples: ['VOLT?'],
      }),
    ),
    at: Type.Optional(
      Type.String({
        pattern: '^/',
        maxLength: 200,
        description: 'JSON pointer into the answer; else the answer itself, or what follows its =',
      }),
    ),
  },
  closed,
);
export type SettingWay = Static<typeof SettingWay>;

const Ways = Type.Record(Type.String({ pattern: NAME }), SettingWay, {
  ...closed,
  maxProperties: SETTINGS_LIMIT,
  description: 'how settings are written and read that their protocol has no own way for',
});

/** What a host needs to know to bring a device to its settings. */
export const WantedSettings = Type.Object(
  { settings: Ways, desired: values('by name') },
  { $id: 'WantedDeviceSettings' },
);
export type WantedSettings = Static<typeof WantedSettings>;

/** What a device said of its settings, and why each is not as it is wanted. */
export const SettingsOutcome = Type.Object(
  {
    reported: values('what the device says, by name'),
    problems: Type.Record(Type.String({ pattern: NAME }), Type.String({ maxLength: 500 }), {
      ...closed,
      maxProperties: SETTINGS_LIMIT,
    }),
  },
  closed,
);
export type SettingsOutcome = Static<typeof SettingsOutcome>;

/** What is known of the settings of a device that has been spoken to. */
export type KnownSettings = WantedSettings & SettingsOutcome & { protocol: string };

export const SettingsReport = Type.Object(
  { device_id: Id, ...SettingsOutcome.properties },
  { ...closed, $id: 'DeviceSettingsReport' },
);

const Difference = Type.Object({
  name: Type.String(),
  desired: Value,
  reported: nullable(Value),
  reason: nullable(
    Type.String({ description: 'why it is not as it is wanted; null while that was not tried' }),
  ),
});

export const DeviceSettings = Type.Object(
  {
    id: Id,
    device_id: Id,
    settings: Ways,
    desired: values('what the device is to be set to: `$110` (GRBL), `M92 X` (Marlin), a register, a key'),
    reported: values('what it said last'),
    difference: Type.Array(Difference, { description: 'what is not as it is wanted' }),
    reported_at: nullable(Time),
    created_at: Time,
    updated_at: Time,
  },
  { $id: 'DeviceSettings' },
);
export type DeviceSettings = Static<typeof DeviceSettings>;

export const NewDeviceSettings = Type.Object(
  { device_id: Id, settings: Type.Optional(Ways), desired: Type.Optional(values('by name')) },
  { ...closed, examples: [{ device_id: '019a9b4c-5d6e-7f80-8a1b-2c3d4e5f6072', desired: { $110: 500 } }] },
);
export type NewDeviceSettings = Static<typeof NewDeviceSettings>;

/** Read-only fields count when they are unchanged. */
export const DeviceSettingsUpdate = Type.Partial(Type.Object(DeviceSettings.properties, closed), {
  examples: [{ desired: { $110: 500, $111: 500 } }],
});

/** Whether a device is set to it: numbers as they are written in few digits, everything else as text. */
export function isSame(desired: SettingValue, reported: SettingValue | undefined): boolean {
  if (reported === undefined) return false;
  const [a, b] = [numberOf(desired), numberOf(reported)];
  if (a === undefined || b === undefined) return String(desired) === String(reported);
  return Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(a));
}

function numberOf(value: SettingValue): number | undefined {
  if (typeof value === 'boolean') return Number(value);
  if (value === 'true' || value === 'false') return Number(value === 'true');
  const number = value === '' ? Number.NaN : Number(value);
  return Number.isFinite(number) ? number : undefined;
}

/** What is not as it is wanted, by its name. */
export const differenceOf = (
  desired: SettingValues,
  reported: SettingValues,
  problems: Readonly<Record<string, string>>,
): Static<typeof Difference>[] =>
  Object.entries(desired)
    .filter(([name, value]) => !isSame(value, reported[name]))
    .map(([name, value]) => ({
      name,
      desired: value,
      reported: reported[name] ?? null,
      reason: problems[name] ?? null,
    }));
