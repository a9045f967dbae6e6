import { Errors } from 'typebox/schema';
import type { CheckQuestion, CheckResult, Mismatch } from '../../domain/neosyntis/guarded.ts';

/** A person mends these first. */
const MOST = 20;

/**
 * Where a value does not fit a JSON Schema. The schema is interpreted, never made into code: it is a user's. It may
 * take as long as its author likes, so this runs in a thread that can be ended.
 */
export function mismatches({ schema, value }: CheckQuestion): CheckResult {
  try {
    const [fits, errors] = Errors(JSON.parse(schema), JSON.parse(value));
    if (fits) return { mismatches: [] };
    const found = errors.filter(({ keyword }) => keyword !== 'additionalProperties').map(mismatch);
    const all = found.length > 0 ? found : [{ path: '', message: 'does not fit' }];
    const unique = new Map(all.map((one) => [`${one.path} ${one.message}`, one]));
    return { mismatches: [...unique.values()].slice(0, MOST) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { problem: error instanceof RangeError ? 'it is nested too deep' : why.slice(0, 300) };
  }
}

/** `additionalProperties: false` is told at each of the properties. */
function mismatch({ keyword, instancePath, message, params }: Found): Mismatch {
  if (keyword === 'boolean') return { path: instancePath, message: 'is not allowed' };
  if (keyword === 'unevaluatedProperties' && 'unevaluatedProperties' in params)
    return { path: instancePath, message: `${message}: ${String(params.unevaluatedProperties)}` };
  return { path: instancePath, message: `${message}`.slice(0, 200) };
}

type Found = ReturnType<typeof Errors>[1][number];
