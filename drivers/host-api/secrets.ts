import { Value } from 'typebox/value';
import { HostSecrets } from '../../domain/neosyntis/secrets.ts';
import type { SecretSource } from '../secrets/port.ts';

const TIMEOUT_MS = 5_000;

/** An API that restarts is back within this time. */
const WITHIN_MS = 15_000;
const PAUSE_MS = 250;

/** Asks the platform for secrets, as a worker host. */
export function createHostSecrets({
  apiUrl,
  credential,
}: {
  apiUrl: string;
  credential: string;
}): SecretSource {
  const url = new URL('/api/host/secrets', apiUrl);

  async function ask(body: string): Promise<Response> {
    return fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${credential}` },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  }

  return {
    async resolve(runId, names) {
      const body = JSON.stringify({ run_id: runId, names });
      const deadline = Date.now() + WITHIN_MS;
      for (;;) {
        const answer = await ask(body).catch((error: unknown) => error);
        if (answer instanceof Response && answer.status < 500) return read(answer);
        if (Date.now() > deadline)
          throw new Error(`the platform at ${url.origin} gives no secrets`, { cause: answer });
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    },
  };
}

async function read(answer: Response) {
  if (!answer.ok) throw new Error(`the platform refused to give secrets (${answer.status})`);
  const body: unknown = await answer.json();
  if (!Value.Check(HostSecrets, body)) throw new Error('the platform’s answer holds no secrets');
  return body.secrets;
}
