import { type Static, Type } from 'typebox';
import { type Json, Time } from '../wire.ts';

/** `$secrets.name` reads a value; with a hyphen in the name it is `$secrets["name"]`. */
const pattern = '^[A-Za-z_][A-Za-z0-9_-]{0,62}$';

export const SECRET_LIMIT_BYTES = 64 * 1024;

/** Of one owner. */
export const SECRETS_LIMIT = 1_000;

export const SecretName = Type.String({ pattern, examples: ['smtp_password'] });

const isNamePattern = new RegExp(pattern);
export const isSecretName = (name: string): boolean => isNamePattern.test(name);

/** What anybody may see of a secret: its value goes in and never comes out. */
export const Secret = Type.Object(
  {
    name: SecretName,
    own: Type.Boolean({ description: 'false: an administrator shares it with all users' }),
    shared: Type.Boolean({ description: 'runs of all users can use it; theirs of the same name win' }),
    created_at: Time,
    updated_at: Time,
  },
  { $id: 'Secret', additionalProperties: false },
);
export type Secret = Static<typeof Secret>;

/** Write-only. */
export const SecretValue = Type.Unsafe<Json>({
  type: ['string', 'number', 'boolean', 'object'],
  description: `text, a number, a boolean or an object; at most ${SECRET_LIMIT_BYTES / 1024} KiB of JSON`,
});

const shared = Type.Boolean({ description: 'only administrators may share' });

export const NewSecret = Type.Object(
  { name: SecretName, value: SecretValue, shared: Type.Optional(shared) },
  { additionalProperties: false, examples: [{ name: 'smtp_password', value: 'correct horse' }] },
);
export type NewSecret = Static<typeof NewSecret>;

export const SecretUpdate = Type.Partial(
  Type.Object({ ...Secret.properties, value: SecretValue }, { additionalProperties: false }),
  { additionalProperties: false, examples: [{ value: 'battery staple' }] },
);

export const SecretParams = Type.Object({ name: SecretName });

/** What a worker host asks for on behalf of a step that runs there. */
export const HostSecretsRequest = Type.Object(
  {
    run_id: Type.String({ format: 'uuid' }),
    names: Type.Array(SecretName, { minItems: 1, maxItems: 100 }),
  },
  {
    additionalProperties: false,
    examples: [{ run_id: '019a9b4c-5d6e-7f80-8a1b-2c3d4e5f6072', names: ['smtp_password'] }],
  },
);

/** What a worker host asks for to connect to a device that it holds. */
export const DeviceSecretsRequest = Type.Object(
  {
    device_id: Type.String({ format: 'uuid' }),
    names: Type.Array(SecretName, { minItems: 1, maxItems: 20 }),
  },
  {
    additionalProperties: false,
    examples: [{ device_id: '019a9b4c-5d6e-7f80-8a1b-2c3d4e5f6072', names: ['broker_password'] }],
  },
);

/** Names that the run's owner has no secret for are left out. */
export const HostSecrets = Type.Object(
  { secrets: Type.Record(Type.String(), SecretValue) },
  { $id: 'HostSecrets' },
);
