import { parentPort } from 'node:worker_threads';
import { Errors } from 'typebox/schema';
import type { CheckResult } from './checker.ts';

/** A person mends these first. */
const MOST = 20;

parentPort?.on('message', ({ schema, value }) => parentPort?.postMessage(mismatches(schema, value)));
parentPort?.postMessage('ready');

/** The schema is interpreted, never made into code: it is a user's. */
function mismatches(schema: Parameters<typeof Errors>[0], value: unknown): CheckResult {
  try {
    const [fits, errors] = Errors(schema, value);
    if (fits) return { mismatches: [] };
    const found = errors
      .slice(0, MOST)
      .map(({ instancePath, message }) => ({ path: instancePath, message: `${message}`.slice(0, 200) }));
    return { mismatches: found.length > 0 ? found : [{ path: '', message: 'does not fit' }] };
  } catch (error) {
    return { problem: error instanceof Error ? error.message.slice(0, 300) : 'it is no JSON Schema' };
  }
}
