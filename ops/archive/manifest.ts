import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { Problem } from '../problem.ts';

/** The name of the manifest in the archive: its last entry, since it holds the hashes of all others. */
export const MANIFEST = 'manifest.json';

/** Changes when an older version could not read the archive any more. */
export const FORMAT = 1;

const Count = Type.Integer({ minimum: 0 });

export const Table = Type.Object({
  name: Type.String(),
  columns: Type.Array(Type.String()),
  rows: Count,
  /** For one that no migration makes: what it is a part of, and which. */
  partition: Type.Optional(
    Type.Object({
      of: Type.String(),
      from: Type.String({ pattern: '^-?[0-9]{1,18}$' }),
      to: Type.String({ pattern: '^-?[0-9]{1,18}$' }),
    }),
  ),
});
export type Table = Static<typeof Table>;

export const Sequence = Type.Object({ name: Type.String(), value: Type.String(), called: Type.Boolean() });
export type Sequence = Static<typeof Sequence>;

export const Part = Type.Object({
  path: Type.String(),
  bytes: Count,
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
});
export type Part = Static<typeof Part>;

/** What a backup says of itself. */
export const Manifest = Type.Object({
  format: Type.Literal(FORMAT),
  /** Of the platform that made it. */
  version: Type.String(),
  created_at: Type.String(),
  /** The migrations that the database had, in order. */
  migrations: Type.Array(Type.String()),
  /** In the order in which they can be filled: a table comes after those that its rows refer to. */
  tables: Type.Array(Table),
  sequences: Type.Array(Sequence),
  /** The Temporal namespace whose store is in it; nothing when Temporal runs elsewhere. */
  temporal_namespace: Type.Union([Type.String(), Type.Null()]),
  /** Sentences: what this installation keeps elsewhere and the backup does not hold. */
  not_covered: Type.Array(Type.String()),
  /** Settings as they were given to the backup; of those that hold secrets only the names. */
  settings: Type.Record(Type.String(), Type.String()),
  secret_settings: Type.Array(Type.String()),
  parts: Type.Array(Part),
});
export type Manifest = Static<typeof Manifest>;

/** @throws Problem when this version cannot read it */
export function parseManifest(text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Problem('The manifest of this backup is not JSON: the file is damaged.', { cause: error });
  }
  const { format, version } = (value ?? {}) as { format?: unknown; version?: unknown }; // looked at below
  if (typeof format === 'number' && format > FORMAT)
    throw new Problem(
      `This backup has format ${format} (made by Vareon ${String(version)}); this version reads format ${FORMAT}. Install that version or a later one.`,
    );
  if (!Value.Check(Manifest, value)) {
    const [first] = Value.Errors(Manifest, value);
    throw new Problem(`The manifest of this backup is not right: ${first?.instancePath} ${first?.message}.`);
  }
  return value;
}
