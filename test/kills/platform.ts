import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../local/ports.ts';
import { type Stack, startStack } from '../../local/stack.ts';
import { type Answer, type Client, createClient, type RequestOptions, until } from '../support/client.ts';
import { createPatientClient } from '../support/patient.ts';
import { testEnvironment } from '../support/stack.ts';
import { type ExternalBus, startBus } from './bus.ts';

/** What can be killed: every process of an installation, a broker of one's own among them. */
export const victims = ['api', 'platform', 'host', 'postgres', 'temporal', 'bus'] as const;
export type Victim = (typeof victims)[number];

export interface Platform {
  stack: Stack;
  bus: ExternalBus;
  token: string;
  /** One request as an administrator's API token; undefined when there was no answer. */
  ask(method: string, path: string, options?: Pick<RequestOptions, 'body' | 'headers'>): Promise<Asked>;
  /** The same while nothing is away: a server that is late on a busy machine is asked again, and no run begins twice. */
  askPatiently(
    method: string,
    path: string,
    options?: Pick<RequestOptions, 'body' | 'headers'>,
  ): Promise<Answer>;
  socketUrl(path: string): URL;
  /** Kills it and resolves once it is back. */
  kill(victim: Victim): Promise<Away>;
  /** All that were killed so far. */
  killed: readonly (Away & { victim: Victim })[];
  /** Freezes it for so long: it loses nothing, and goes on where it was as if no time had passed. */
  freeze(victim: Victim, forMs: number): Promise<Away>;
  /**
   * Whoever takes the place of one that was just killed is frozen at its birth, until what is given is called: it is
   * started again sooner than a slow machine has asked for anything.
   */
  holdBack(victim: Victim): () => void;
  /** Signals it with all that it has started: a frozen server takes connections and does not answer. */
  signalAll(victim: Victim, signal: NodeJS.Signals): void;
  /** Stops everything; the data folder goes too, unless somebody wants to look into it. */
  close(options?: { keep?: boolean }): Promise<void>;
}

/** From when to when it was away, in ms since the epoch. */
export interface Away {
  at: number;
  back: number;
}

export type Asked = Answer | undefined;

/** Of the first administrator. */
export const PASSWORD = 'seven quiet herons';
/** Longer than any command that is asked for takes: a slow machine is to answer late, not never. */
const ANSWER_WITHIN_MS = 60_000;

/**
 * A whole installation of its own, to be killed.
 * @param legTasks after so many tasks and rounds another execution of a run goes on
 * @param settings more of them
 */
export async function startPlatform({
  legTasks,
  settings = {},
}: {
  legTasks?: number;
  settings?: Record<string, string>;
} = {}): Promise<Platform> {
  const dataDir = mkdtempSync(join(tmpdir(), 'vareon-kills-'));
  const bus = await startBus(await freePort());
  const env = {
    ...(await testEnvironment(dataDir, PASSWORD)),
    BUS_URL: bus.url,
    ...(legTasks === undefined ? {} : { VAREON_LEG_TASKS: String(legTasks) }),
    ...settings,
  };
  const stack = await startStack({ env }).catch((error) => {
    bus.close();
    throw error;
  });
  const api = createClient(stack.apiUrl);
  const token = await apiToken(createPatientClient(stack.apiUrl));

  const pidOf = (victim: Victim) => (victim === 'bus' ? bus.pid() : stack.part(victim).pid);

  function signalAll(victim: Victim, signal: NodeJS.Signals): void {
    const pid = pidOf(victim);
    if (pid === undefined) throw new Error(`${victim} does not run`);
    // PostgreSQL's processes come and go: each stands still before its own are looked at, so that none is missed.
    for (const queue = [pid]; queue.length > 0; ) {
      const one = queue.shift() as number; // it has one
      if (ifThere(() => process.kill(one, signal))) queue.push(...childrenOf(one));
    }
  }

  function holdBack(victim: Victim): () => void {
    const killed = pidOf(victim);
    let held = killed;
    // Who starts them is in this process, too: none can be up between its turn and this one's. One that is given up,
    // because it is never ready, is followed by another.
    const timer = setInterval(() => {
      const pid = pidOf(victim);
      if (pid === held) return;
      held = pid;
      signalAll(victim, 'SIGSTOP');
    }, 1);
    return () => {
      clearInterval(timer);
      if (held !== killed) signalAll(victim, 'SIGCONT');
    };
  }

  const ask: Platform['ask'] = (method, path, options) => answered(api(method, path, { token, ...options }));
  const killed: (Away & { victim: Victim })[] = [];
  return {
    stack,
    bus,
    killed,
    token,
    ask,
    async askPatiently(method, path, options = {}) {
      const headers = { 'Idempotency-Key': randomUUID(), ...options.headers };
      const answer = await until(
        () => ask(method, path, { ...options, headers }),
        (given) => given !== undefined && given.status !== 503,
        ANSWER_WITHIN_MS,
      );
      if (!answer) throw new Error(`${method} ${path}: no answer`);
      return answer;
    },
    socketUrl: (path) => new URL(path, stack.apiUrl.replace('http', 'ws')),
    async kill(victim) {
      const part = victim === 'bus' ? bus : stack.part(victim);
      const up = part.nextUp();
      const at = Date.now();
      part.kill('SIGKILL');
      await up;
      const away = { at, back: Date.now() };
      killed.push({ victim, ...away });
      return away;
    },
    async freeze(victim, forMs) {
      const at = Date.now();
      signalAll(victim, 'SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, forMs));
      signalAll(victim, 'SIGCONT');
      return { at, back: Date.now() };
    },
    holdBack,
    signalAll,
    async close({ keep = false } = {}) {
      await stack.close();
      bus.close();
      if (!keep) rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

/** What a process started: PostgreSQL answers with one for each connection. */
const childrenOf = (pid: number): number[] =>
  ifThere(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))
    ?.split(' ')
    .filter(Boolean)
    .map(Number) ?? [];

/** Undefined for a process that ended meanwhile. */
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Outlives the access tokens' ten minutes. */
async function apiToken(api: Client): Promise<string> {
  const login = await api('POST', '/api/token', { body: { username: 'admin', password: PASSWORD } });
  const { status, text, body } = await api('POST', '/api/api-tokens', {
    token: login.body.access_token,
    body: {
      name: 'kills',
      permissions: [
        'system:events:read',
        'system:mail:read',
        'neosyntis:workflows:read',
        'neosyntis:workflows:write',
        'neosyntis:workflows:run',
        'neosyntis:approvals:answer',
        'neosyntis:workflows:execute_code',
        'myntrix:jobs:read',
        'myntrix:jobs:write',
        'myntrix:tasks:read',
        'myntrix:tasks:write',
        'myntrix:tasks:run',
        'myntrix:devices:read',
        'myntrix:devices:write',
        'myntrix:devices:execute',
        'myntrix:telemetry:write',
      ],
    },
  });
  if (status !== 201) throw new Error(`no API token: ${status} ${text}`);
  return body.token;
}

/** A connection that a killed process leaves open is no answer. */
async function answered(answer: Promise<Answer>): Promise<Asked> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ANSWER_WITHIN_MS);
  });
  const result = await Promise.race([answer.catch(() => undefined), late]);
  clearTimeout(timer);
  return result;
}
