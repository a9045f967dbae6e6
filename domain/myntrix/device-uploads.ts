import { type Static, Type } from 'typebox';
import { Id, literals } from '../wire.ts';
import { Flasher } from './flashers.ts';

export const uploadKinds = ['gcode', 'firmware', 'file'] as const;
export type UploadKind = (typeof uploadKinds)[number];

const extensions: Record<string, UploadKind> = {
  ...Object.fromEntries(
    ['gcode', 'gco', 'g', 'nc', 'ngc', 'cnc', 'tap'].map((name) => [name, 'gcode' as const]),
  ),
  ...Object.fromEntries(['hex', 'bin', 'elf', 'dfu', 'uf2'].map((name) => [name, 'firmware' as const])),
};

/** What a file is by its name, when nobody says. */
export const kindOfName = (name: string): UploadKind =>
  extensions[/\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? ''] ?? 'file';

/** The name as others may use it: of the last part of a path, without what is odd in file names. */
export const plainName = (name: string): string => {
  const last = name.split(/[\\/]/).at(-1) ?? '';
  return last.replace(/[^\p{L}\p{N}._ -]/gu, '_').slice(0, 200) || 'file';
};

/** How a name stands on a card: 8 letters or digits and an extension of 3, as old FAT has it. */
export const cardName = (name: string): string => {
  const [stem = '', extension = ''] = [name.replace(/\.[^.]*$/, ''), /\.([^.]*)$/.exec(name)?.[1]];
  const plain = (text: string, most: number) => text.replace(/[^A-Za-z0-9_]/g, '').slice(0, most);
  return `${plain(stem, 8) || 'FILE'}.${plain(extension ?? '', 3) || 'GCO'}`.toUpperCase();
};

/** More than a file and its kind say; as JSON in the field `options`. */
export const UploadOptions = Type.Object(
  {
    name: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$',
        description:
          'what it is called on the device; a card takes 8 letters or digits and an extension of 3',
      }),
    ),
    flasher: Type.Optional(Flasher),
    chunkBytes: Type.Optional(
      Type.Integer({
        minimum: 16,
        maximum: 16_384,
        description: 'of a file, in one piece; 2,048 unless given',
      }),
    ),
  },
  { additionalProperties: false },
);
export type UploadOptions = Static<typeof UploadOptions>;

/** The fields of the form. */
export const UploadFields = Type.Object(
  {
    kind: Type.Optional(literals(uploadKinds)),
    run: Type.Optional(literals(['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'])),
    options: Type.Optional(Type.String({ maxLength: 4_096 })),
  },
  { additionalProperties: false },
);

export const UploadStarted = Type.Object(
  { job_id: Id, upload_id: Id, sha256: Type.String(), size_bytes: Type.Integer() },
  { $id: 'UploadStarted' },
);
