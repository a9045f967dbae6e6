import { Type } from 'typebox';
import { UploadOptions, uploadKinds } from '../../myntrix/device-uploads.ts';
import { Id, literals } from '../../wire.ts';
import type { Verb } from '../verbs.ts';

const device = Type.String({
  minLength: 1,
  maxLength: 200,
  description: 'its id, or its name when only one has it',
});
const name = Type.String({ minLength: 1, maxLength: 200 });
/** What a step can hold; what is larger is uploaded first. */
const TEXT = 1_000_000;

const upload = { ...Id, description: 'a file that was uploaded for a device before: `upload_id`' };

export const runGcodeArguments = Type.Object(
  {
    device,
    gcode: Type.Optional(Type.String({ minLength: 1, maxLength: TEXT })),
    upload: Type.Optional(upload),
    name: Type.Optional(name),
  },
  { additionalProperties: false, examples: [{ device: 'printer', gcode: 'G28\nG1 X10 F3000\n' }] },
);

export const deviceUploadArguments = Type.Object(
  {
    device,
    content: Type.Optional(Type.String({ maxLength: TEXT, description: 'text' })),
    content_base64: Type.Optional(
      Type.String({ maxLength: TEXT, pattern: '^[A-Za-z0-9+/]*={0,2}$', description: 'bytes' }),
    ),
    upload: Type.Optional(upload),
    name: Type.Optional(name),
    kind: Type.Optional(literals(uploadKinds)),
    options: Type.Optional(UploadOptions),
  },
  { additionalProperties: false, examples: [{ device: 'printer', name: 'part.gcode', content: 'G28\n' }] },
);

/** One of them says what is sent. */
const oneOf = (args: Record<string, unknown>, names: readonly string[]) =>
  names.filter((one) => args[one] !== undefined).length === 1
    ? []
    : [{ path: '', message: `needs one of ${names.join(', ')}, and not more than one` }];

const common = {
  // The job has an id derived from run and step: a repeat goes on waiting for the same one.
  idempotent: true,
  // A worker that ends in the middle of a long print is followed by another.
  retry: { attempts: 1_000, firstPauseMs: 200 },
  timeoutMs: 7 * 86_400_000,
  queue: 'waits',
} as const;

/** `device.run_gcode` and `device.upload`. */
export const deviceJobVerbs: Verb[] = [
  {
    ...common,
    name: 'device.run_gcode',
    summary: 'Runs G-code on a device and waits until it is done',
    with: runGcodeArguments,
    check: (args) => oneOf(args, ['gcode', 'upload']),
  },
  {
    ...common,
    name: 'device.upload',
    summary:
      'Stores a program on a device, sends it a file, or writes its firmware, and waits until that is done',
    with: deviceUploadArguments,
    check: (args) => oneOf(args, ['content', 'content_base64', 'upload']),
  },
];
