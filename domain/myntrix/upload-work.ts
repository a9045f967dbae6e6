import { AppError } from '../errors.ts';
import type { DeviceJobWork } from './device-jobs.ts';
import { cardName, plainName, type UploadKind, type UploadOptions } from './device-uploads.ts';
import type { Flasher } from './flashers.ts';

/** What somebody says about a file that they send. */
export interface UploadForm {
  kind: UploadKind | undefined;
  run: boolean | undefined;
  options: UploadOptions;
}

const CARD_NAME = /^[A-Za-z0-9_]{1,8}\.[A-Za-z0-9_]{1,3}$/;
const CHUNK_BYTES = 2_048;

const invalid = (path: string, message: string): AppError =>
  new AppError('invalid', `The upload cannot be taken: ${path} ${message}.`, { errors: [{ path, message }] });

/**
 * What is to be done with a file.
 * @param configured how the device's firmware is written, unless the upload says otherwise
 * @throws AppError `invalid` for what does not go together
 */
export function workOf(
  file: { name: string; kind: UploadKind },
  { run = false, options }: Pick<UploadForm, 'run' | 'options'>,
  configured?: Flasher | undefined,
): DeviceJobWork {
  if (file.kind !== 'gcode' && run) throw invalid('/run', `is for G-code, and ${file.name} is ${file.kind}`);
  if (file.kind === 'firmware') {
    const flasher = options.flasher ?? configured;
    if (!flasher)
      throw invalid('/options', 'says no flasher, and neither does `firmware` of the device’s configuration');
    return { kind: 'firmware', flasher };
  }
  if (file.kind === 'file') {
    const name = options.name ?? plainName(file.name);
    return { kind: 'file', name, chunkBytes: options.chunkBytes ?? CHUNK_BYTES };
  }
  if (run) return { kind: 'run', fromLine: 1, restore: [] };
  const name = options.name ?? cardName(file.name);
  if (!CARD_NAME.test(name))
    throw invalid(
      '/options/name',
      `is "${name}": a card takes 8 letters or digits and an extension of 3, as in PART.GCO`,
    );
  return { kind: 'store', name };
}
