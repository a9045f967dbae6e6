import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { createWorkflowRepository } from '../db/neosyntis/workflows.ts';
import type { Database, Sql } from '../db/orm.ts';
import type { Principal } from '../domain/auth/principal.ts';
import { type Installation, withInstallation } from './installation.ts';
import { median, tenths } from './percentile.ts';

/**
 * Reads of one workflow at 50 connections, as the administrator with an access token, against a bare Koa route
 * that sends the same statement to the same database (bench/bare-koa.ts). Prints one JSON line.
 *
 * Both take turns under the same load, from a thread of its own, after 10 s each to warm up (V8 goes on compiling
 * that long); the figures are the medians of their rounds. Both have 20 connections to the database. The platform
 * is as it is always: it checks the token and the session, logs each request, and so on; it prepares the statement,
 * which a bare route as one writes it does not. For the record the bare route takes a turn with it prepared, too.
 */
const LIMIT = 0.6;
const CONNECTIONS = 50;
const ROUNDS = 5;
const ROUND_S = 5;
const WARM_UP_S = 10;

const base = '/api/neosyntis/workflows';
const steps = [
  { hello: { set: { text: '${ "Hello " + (.name // "you") }' } } },
  { loop: { for: { in: '[1, 2, 3]' }, do: [{ pause: { wait: { seconds: 1 } } }] } },
  { last: { set: { done: true } } },
];

interface Round {
  requests_per_s: number;
  p99_ms: number;
}

await withInstallation(async ({ stack, token, call }: Installation) => {
  const { id } = await call<{ id: string }>('POST', base, { name: 'bench read', steps });
  const bare = await startBare(stack.databaseUrl, await statementOf(id));
  try {
    const urls = {
      platform: `${stack.apiUrl}${base}/${id}`,
      bare: `http://127.0.0.1:${bare.port}${base}/${id}`,
      prepared: `http://127.0.0.1:${bare.port}/prepared${base}/${id}`,
    };
    await expectSameAnswer(urls, token);
    const rounds: Record<keyof typeof urls, Round[]> = { platform: [], bare: [], prepared: [] };
    for (const url of Object.values(urls)) await load(url, token, WARM_UP_S);
    for (let round = 0; round < ROUNDS; round++)
      for (const name of ['platform', 'bare', 'prepared'] as const)
        rounds[name].push(await load(urls[name], token, ROUND_S));
    const platform = summary(rounds.platform);
    const bareOnes = { bare: summary(rounds.bare), prepared: summary(rounds.prepared) };
    const ratioTo = (other: Round) =>
      Math.round((platform.requests_per_s / other.requests_per_s) * 1000) / 1000;
    const ratio = ratioTo(bareOnes.bare);
    const ok = ratio >= LIMIT;
    console.log(
      JSON.stringify({
        ...{ bench: 'read', ok, ratio, limit: LIMIT, ratio_to_prepared: ratioTo(bareOnes.prepared) },
        ...{ platform, ...bareOnes },
      }),
    );
    process.exitCode = ok ? 0 : 1;
  } finally {
    bare.process.disconnect();
  }
});

/** The repository's own statement for a workflow, with its parameter as `pg` wants it. */
async function statementOf(id: string): Promise<string> {
  let sent = '';
  // `get` asks for nothing else; in a transaction it prepares nothing.
  const recorder = {
    isInTransaction: () => true,
    async execute(statement: string, params: unknown[]) {
      if (params.length !== 1) throw new Error('the statement has another parameter than the id');
      sent = statement;
      return [{}];
    },
  } as unknown as Sql;
  const everybody = { isAdmin: true } as Principal; // all that `get` looks at
  await createWorkflowRepository({ em: recorder } as Database).get(everybody, id, recorder);
  return sent.replace('?', '$1');
}

function startBare(databaseUrl: string, statement: string) {
  const child = fork(fileURLToPath(new URL('bare-koa.ts', import.meta.url)), {
    env: { ...process.env, DATABASE_URL: databaseUrl, STATEMENT: statement, PATH_TEMPLATE: `${base}/:id` },
  });
  return new Promise<{ process: ChildProcess; port: number }>((resolve, reject) => {
    child.once('message', (message) => resolve({ process: child, port: (message as { port: number }).port }));
    child.once('exit', (code) => reject(new Error(`bare-koa.ts ended with ${code}`)));
  });
}

async function expectSameAnswer(urls: Record<string, string>, token: string): Promise<void> {
  const answers = Object.values(urls).map(async (url) => {
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
    return `${answer.status} ${JSON.stringify(await answer.json())}`;
  });
  const different = new Set(await Promise.all(answers));
  if (different.size > 1) throw new Error(`the answers differ:\n${[...different].join('\n')}`);
}

async function load(url: string, token: string, duration: number): Promise<Round> {
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration,
    workers: 1,
    headers: { Authorization: `Bearer ${token}` },
  });
  if (result.non2xx + result.errors > 0) throw new Error(`${url}: ${result.non2xx + result.errors} failed`);
  return { requests_per_s: result.requests.average, p99_ms: result.latency.p99 };
}

function summary(rounds: Round[]) {
  const per_s = rounds.map(({ requests_per_s }) => Math.round(requests_per_s));
  const p99_ms = tenths(median(rounds.map((round) => round.p99_ms)));
  return { requests_per_s: median(per_s), p99_ms, rounds: per_s };
}
