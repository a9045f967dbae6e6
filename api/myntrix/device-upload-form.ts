import { parse } from 'secure-json-parse';
import { AppError } from '../../domain/errors.ts';
import { UploadFields, UploadOptions } from '../../domain/myntrix/device-uploads.ts';
import type { UploadForm } from '../../domain/myntrix/upload-work.ts';
import { storable } from '../http/body.ts';
import { createChecker } from '../http/checks.ts';

/** Reads the fields of an upload's form, without its file. What it gives throws AppError `invalid`. */
export function createUploadForm(): (sent: Record<string, string>) => UploadForm {
  const checker = createChecker();
  const checkFields = checker.body(UploadFields);
  const checkOptions = checker.body(UploadOptions);
  return (sent) => {
    checkFields(storable(sent));
    // Checked just now.
    const { kind, run, options } = sent as { kind?: UploadForm['kind']; run?: string; options?: string };
    const given: unknown = storable(options === undefined ? {} : json(options));
    checkOptions(given);
    return {
      kind,
      run: run === undefined ? undefined : ['true', '1', 'yes', 'on'].includes(run),
      options: given as UploadForm['options'], // checked just now
    };
  };
}

function json(text: string): unknown {
  try {
    return parse(text, { protoAction: 'error', constructorAction: 'error' });
  } catch (error) {
    throw new AppError(
      'invalid',
      'The field "options" is not JSON.',
      { errors: [{ path: '/options', message: 'is not JSON' }] },
      { cause: error },
    );
  }
}
