import fc from 'fast-check';
import { readContract } from '../support/contract.ts';
import type { World } from '../support/world.ts';
import { judge } from './judge.ts';
import { encode } from './payload.ts';
import { reproduction } from './reproduction.ts';
import { type FuzzRequest, percentEncoded, requestsOf } from './requests.ts';
import { createSender, type WireRequest } from './send.ts';
import { createThings, type Things } from './things.ts';

export interface Campaign {
  requests: number;
  seed: number;
  minutes?: number;
  /** Operations whose name contains this only. */
  only?: string;
  onFailure?(failure: Failure): void;
}

export interface Failure {
  operation: string;
  wrong: string[];
  /** Shrunk, as a command line. */
  reproduction: string;
  seed: number;
}

export interface Report {
  requests: number;
  seed: number;
  statuses: Record<string, number>;
  operations: number;
  /** Operations of which no request was accepted (2xx), so that nothing was seen of what they do. */
  neverAccepted: string[];
  failures: Failure[];
  slowestMs: number;
}

/** How many operations are tried at the same time. */
const SIDE_BY_SIDE = 4;
/** The parsers behind these are the deepest. */
const heavy = /workflows$|validate$|import$|workflows\/\{id\}$/;

/** Sends generated requests to every route of a running platform and judges each answer. */
export async function runCampaign(
  world: World,
  { requests, seed, minutes = 60, only = '', onFailure = () => {} }: Campaign,
): Promise<Report> {
  const endsAt = Date.now() + minutes * 60_000;
  const contract = await readContract(world.api);
  const { body: document } = await world.api('GET', '/openapi.json');
  const operations = contract.operations.filter((name) => !name.includes('/ws/') && name.includes(only));
  const things = await createThings(world);
  const sender = createSender(world.url);
  const report: Report = {
    requests: 0,
    seed,
    statuses: {},
    operations: operations.length,
    neverAccepted: [],
    failures: [],
    slowestMs: 0,
  };
  const accepted = new Set<string>();

  async function attempt(operation: string, request: FuzzRequest): Promise<void> {
    const wire = await toWire(operation, request, things, report.requests);
    const outcome = await sender.send(wire);
    report.requests += 1;
    report.slowestMs = Math.max(report.slowestMs, Math.round(outcome.ms));
    if ('failure' in outcome) {
      // Who sends too much is answered and cut off, which may come before the answer is read.
      if ((wire.body?.length ?? 0) > 1024 * 1024 && /EPIPE|ECONNRESET/.test(outcome.failure)) return;
      throw new Wrong([outcome.failure], wire);
    }
    const { answer } = outcome;
    const group = `${String(answer.status)[0]}xx`;
    report.statuses[group] = (report.statuses[group] ?? 0) + 1;
    if (answer.status < 300) accepted.add(operation);
    things.noteAccepted(operation, request, answer);
    const [, path = ''] = operation.split(' ');
    const named = `${wire.method} ${path}`;
    const isThis = !Object.values(request.values).some((value) => !value.real && !/^[\w-]+$/.test(value.raw));
    const wrong = judge(
      contract,
      isThis && contract.operations.includes(named) ? named : undefined,
      wire,
      answer,
    );
    if (wrong.length > 0) throw new Wrong(wrong, wire);
  }

  async function explore(operation: string, numRuns: number, round: number): Promise<void> {
    const property = fc.asyncProperty(requestsOf(operation, document), (request) =>
      attempt(operation, request),
    );
    const result = await fc.check(property, {
      numRuns,
      seed: seed + round,
      interruptAfterTimeLimit: Math.max(1, Math.min(120_000, endsAt - Date.now())),
      verbose: 0,
    });
    // An interrupted one has no counterexample, unless it was being shrunk.
    if (result.counterexample === null) return;
    const error = result.errorInstance;
    const failure: Failure =
      error instanceof Wrong
        ? {
            operation,
            wrong: error.wrong,
            reproduction: reproduction(world.url, error.wire),
            seed: seed + round,
          }
        : {
            operation,
            wrong: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
            reproduction: fc.stringify(result.counterexample).slice(0, 2_000),
            seed: seed + round,
          };
    report.failures.push(failure);
    onFailure(failure);
  }

  try {
    const weightOf = (operation: string) =>
      heavy.test(operation) && !/^(GET|DELETE)/.test(operation) ? 4 : 1;
    const total = operations.reduce((sum, operation) => sum + weightOf(operation), 0);
    for (let round = 0; report.requests < requests && Date.now() < endsAt; round++) {
      const left = Math.min(requests - report.requests, total * 50);
      const queue = operations.map((operation) => ({
        operation,
        numRuns: Math.max(1, Math.round((left * weightOf(operation)) / total)),
      }));
      const work = async () => {
        for (let next = queue.pop(); next && Date.now() < endsAt; next = queue.pop())
          await explore(next.operation, next.numRuns, round);
      };
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
    }
    report.neverAccepted = operations.filter((operation) => !accepted.has(operation));
    return report;
  } finally {
    sender.close();
    await things.close();
  }
}

class Wrong extends Error {
  readonly wrong: string[];
  readonly wire: WireRequest;
  constructor(wrong: string[], wire: WireRequest) {
    super(wrong.join('; '));
    this.wrong = wrong;
    this.wire = wire;
  }
}

async function toWire(
  operation: string,
  request: FuzzRequest,
  things: Things,
  count: number,
): Promise<WireRequest> {
  let [, target = ''] = operation.split(' ');
  for (const [name, value] of Object.entries(request.values))
    target = target
      .replace(`{${name}}`, () => (value.real ? '\0' : value.raw))
      .replace('\0', value.real ? await things.idFor(operation, name) : '');
  const query = request.query
    .map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`)
    .join('&');
  const authorization = await things.authorization(request.who, operation);
  const { body } = request;
  const type =
    body?.type ?? (body?.form === 'form' ? 'application/x-www-form-urlencoded' : 'application/json');
  const bytes = body && encode(body.value, body.form);
  const holdsPlaceholder = bytes?.includes('@@');
  return {
    method: request.method,
    target: query ? `${target}?${query}` : target,
    headers: {
      ...request.headers,
      ...(authorization ? { authorization } : {}),
      ...(body ? { 'content-type': type } : {}),
    },
    body:
      bytes && holdsPlaceholder
        ? Buffer.from(await things.filled(bytes.toString('latin1')), 'latin1')
        : bytes,
    from: attempts.test(operation) ? addressFor(count) : undefined,
  };
}

/** What counts by address how often it was tried. */
const attempts = /register|token|password|verify|enrol/;

/** Linux has a whole network on loopback; elsewhere the limits of attempts count, and answer 429. */
const addressFor = (count: number): string | undefined =>
  process.platform === 'linux'
    ? `127.0.${1 + (Math.floor(count / 250) % 200)}.${1 + (count % 250)}`
    : undefined;
