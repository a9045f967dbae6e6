import { Type } from 'typebox';
import { endpointSchema } from '../dsl/endpoint.ts';
import type { Verb } from '../verbs.ts';

/** What `run: script` fetches its `source` by; no step can call it. */
export const scriptSource = {
  name: 'run.script.source',
  summary: 'Fetches a script',
  with: Type.Object({ endpoint: endpointSchema() }, { additionalProperties: false }),
  idempotent: true,
  retry: { attempts: 5, firstPauseMs: 200 },
  queue: 'outbound',
} satisfies Verb;
