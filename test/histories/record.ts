import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { runBlobPrefix } from '../../domain/names.ts';
import { startStack } from '../../local/stack.ts';
import { createLogger } from '../../logs.ts';
import { VERSION } from '../../version.ts';
import { installRuntime } from '../../workers/temporal.ts';
import { announceStack, testEnvironment } from '../support/stack.ts';
import { enterWorld, expectStatus, PASSWORD } from '../support/world.ts';
import { cleaned } from './clean.ts';
import { disasters } from './disasters.ts';
import { type HistoryJson, type Recorded, writeRecorded } from './files.ts';
import type { Here } from './here.ts';
import { incidents, isOpen } from './incidents.ts';
import { serveOthers } from './others.ts';
import { type Program, SECRET_NAME } from './programs/program.ts';
import { programs } from './programs.ts';
import { isReleased } from './released.ts';
import { replayAll } from './replay.ts';

/**
 * `npm run histories`: runs one workflow of each kind in a platform of its own, and puts Temporal's histories of them
 * into test/histories/<version>, in place of those that this version had. A version that was released keeps its own.
 */
const AT_ONCE = 6;
const ADMIN_PASSWORD = 'nine patient otters';
const SECRET = 'open-sesame-3f81b2';
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

if (isReleased(VERSION)) {
  console.error(`${VERSION} was released: what it recorded stays. Raise the version in package.json first.`);
  process.exit(1);
}
installRuntime(createLogger('replay', 'warn'));
const startedAt = performance.now();
const dataDir = mkdtempSync(join(tmpdir(), 'vareon-histories-'));
const others = await serveOthers();
const env = { ...(await testEnvironment(dataDir, ADMIN_PASSWORD)), SMTP_URL: others.smtpUrl };
const stack = await startStack({ env });
try {
  announceStack({ ...stack, temporalUiUrl: stack.temporalUiUrl ?? '', adminPassword: ADMIN_PASSWORD });
  const world = await enterWorld('temporal');
  const user = await world.newUser('operator', { runsCode: true });
  const secret = { name: SECRET_NAME, value: SECRET };
  await expectStatus(201, world.api('POST', '/api/neosyntis/secrets', { token: user.token, body: secret }));
  const here: Here = { world, user, stack, origin: others.origin };

  const taken = await runAll(here);
  const forbidden = [ADMIN_PASSWORD, PASSWORD, SECRET, user.token, root, dataDir, hostname()];
  const histories = new Map<string, HistoryJson>();
  const blobs = new Map<string, Buffer>();
  for (const { name, workflowId, history } of taken) {
    histories.set(name, cleaned(name, history, forbidden));
    for (const [sha256, bytes] of blobsOf(workflowId)) blobs.set(sha256, bytes);
  }
  await world.close();

  const replayed = await replayAll(taken, (sha256) => blobs.get(sha256));
  const failed = [...replayed].filter(([, problem]) => problem !== undefined);
  if (failed.length > 0)
    throw new Error(
      `what was just recorded does not replay:\n${failed.map((one) => one.join(': ')).join('\n')}`,
    );
  writeRecorded(VERSION, histories, blobs);
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  console.log(`${histories.size} histories of version ${VERSION} recorded in ${seconds} s`);
} finally {
  await stack.close();
  await others.close();
  rmSync(dataDir, { recursive: true, force: true });
}
// Temporal's runtime of the replay would keep the process for a while.
process.exit();

/** One run of each kind, and its history, in the order of their names. */
async function runAll(here: Here): Promise<Recorded[]> {
  const taken: Recorded[] = [];
  const take = async (name: string, workflowId: string) => {
    if (taken.some((one) => one.name === name)) throw new Error(`two kinds of run are called ${name}`);
    const handle = here.world.temporal.workflow.getHandle(workflowId);
    // What people see of an end is there a moment before Temporal has it.
    if (!isOpen(name)) await handle.result().catch(() => undefined);
    const history = JSON.parse(historyToJSON(await handle.fetchHistory())) as HistoryJson; // what it writes
    taken.push({ name, workflowId, history });
    console.error(`${Math.round((performance.now() - startedAt) / 1_000)} s: ${name}`);
  };
  const failed: string[] = [];
  const attempt = (name: string, work: () => Promise<void>) =>
    work().catch(
      (error: unknown) => void failed.push(`${name}: ${error instanceof Error ? error.message : error}`),
    );
  const work = [
    ...Object.entries(incidents).map(
      ([name, happen]) =>
        () =>
          attempt(name, async () => take(name, await happen(here))),
    ),
    ...programs(here.origin).map(
      (one) => () => attempt(one.name, async () => take(one.name, await ended(here, one))),
    ),
  ];
  const worker = async () => {
    for (let next = work.shift(); next; next = work.shift()) await next();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const disaster of disasters)
    await attempt(disaster.name, async () => {
      for (const [name, id] of Object.entries(await disaster(here))) await take(name, id);
    });
  if (failed.length > 0) throw new Error(`could not be recorded:\n${failed.join('\n')}`);
  return taken.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Runs a program to its end. */
async function ended(
  { world, user }: Here,
  { name, steps, document, input, ends }: Program,
): Promise<string> {
  const { token } = user;
  const about = { dsl: '1.0.3', namespace: 'recorded', name, version: '0.1.0' };
  const body = document ? { document: about, do: steps, ...document } : { name, steps };
  const path = `/api/neosyntis/workflows${document ? '/import' : ''}`;
  const { id } = await expectStatus(201, world.api('POST', path, { token, body }));
  const trigger = `/api/neosyntis/workflows/${id}/trigger?wait=60`;
  const run = await expectStatus(200, world.api('POST', trigger, { token, body: { input: input ?? null } }));
  if (run.status !== ends)
    throw new Error(`it ended ${run.status}, not ${ends}: ${JSON.stringify(run.error)}`);
  return run.run_id;
}

/** The large values of a run, by SHA-256. */
function blobsOf(workflowId: string): [string, Buffer][] {
  const folder = join(dataDir, 'blobs', runBlobPrefix(workflowId));
  try {
    return readdirSync(folder).map((name) => [basename(name), readFileSync(join(folder, name))]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // it has none
    throw error;
  }
}
