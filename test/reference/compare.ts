import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Answer, type Client, until } from '../support/client.ts';
import type { TestUser } from '../support/world.ts';
import type { Case } from './arbitrary-documents.ts';
import { Undetermined } from './fault.ts';
import { type Interpreted, interpret } from './interpreter.ts';

/** Whatever takes longer in virtual time is not waited for in real time. */
const LONGEST_MS = 500;

/** What the reference says, or nothing where the document does not decide what it does. */
export async function expected(made: Case): Promise<Interpreted | undefined> {
  try {
    const result = await interpret(made.document, made.input);
    return result.ms > LONGEST_MS ? undefined : result;
  } catch (error) {
    if (error instanceof Undetermined) return undefined;
    throw error;
  }
}

interface Seen {
  outcome: unknown;
  steps: string[];
}

/** A platform that is busy is asked again; a run begins once for its key. */
const patient =
  (api: Client): Client =>
  async (method, path, options = {}) => {
    const headers = { ...options.headers, 'idempotency-key': randomUUID() };
    for (let times = 1; ; times++) {
      const answer = await api(method, path, { ...options, ...(method === 'POST' ? { headers } : {}) });
      if (times === 5 || ![408, 429, 503].includes(answer.status)) return answer;
    }
  };

/** The platform's run of a case, through the front door. */
export async function onPlatform(impatient: Client, { token }: TestUser, made: Case) {
  const api = patient(impatient);
  const saved = await api('POST', '/api/neosyntis/workflows/import', { token, body: made.document });
  if (saved.status !== 201) throw new Error(`not saved: ${saved.status} ${saved.text}`);
  const path = `/api/neosyntis/workflows/${saved.body.id}/trigger?wait=60`;
  const ended = await api('POST', path, { token, body: { input: made.input } });
  const look = () => api('GET', `/api/neosyntis/runs/${ended.body?.run_id}`, { token });
  const isOver = ({ status, body }: Answer) =>
    status !== 200 || ['completed', 'failed'].includes(body.status);
  const run = await until(look, isOver, 60_000);
  if (!['completed', 'failed'].includes(run.body?.status))
    throw new Error(`not ended: ${ended.status} ${ended.text}; ${run.status} ${run.text.slice(0, 1_000)}`);
  return run.body;
}

// biome-ignore lint/suspicious/noExplicitAny: a run as the API shows it
type Shown = any;

/** What differs, for a person to read; nothing when they agree. */
export function difference(reference: Interpreted, run: Shown): string | undefined {
  const wanted: Seen = {
    outcome: reference.error ? aboutError(reference.error) : { output: reference.output },
    steps: aboutSteps(reference.steps, reference.loose),
  };
  const seen: Seen = {
    outcome: run.status === 'failed' ? aboutError(run.error) : { output: run.output },
    steps: aboutSteps(run.steps, reference.loose),
  };
  if (isDeepStrictEqual(asJson(wanted), asJson(seen))) return undefined;
  const lines = [
    `reference: ${JSON.stringify(wanted.outcome)}`,
    `platform:  ${JSON.stringify(seen.outcome)}`,
  ];
  const detail = run.error?.detail ?? '';
  for (const step of wanted.steps) if (!seen.steps.includes(step)) lines.push(`only the reference: ${step}`);
  for (const step of seen.steps) if (!wanted.steps.includes(step)) lines.push(`only the platform:  ${step}`);
  return [...lines, ...(detail === '' ? [] : [`platform's detail: ${detail}`])].join('\n');
}

/** Of one realm: an object of another has another prototype. */
const asJson = (value: Seen): unknown => JSON.parse(JSON.stringify(value));

const aboutError = ({ type, status, instance }: Shown) => ({
  error: { type: String(type).split('/').at(-1), status, instance },
});

const aboutSteps = (steps: Shown[], loose: string[]): string[] =>
  steps
    .filter(({ path }) => !loose.some((below) => path === below || path.startsWith(`${below}/`)))
    .map(({ path, iteration, status }) => `${path} [${iteration}] ${status}`)
    .sort();
