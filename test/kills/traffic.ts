import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Asked, Platform } from './platform.ts';
import { mix, type Program, programs } from './programs.ts';

/** One run that was asked for; its token is its Idempotency-Key, its input and what it leaves behind. */
export interface Ordered {
  token: string;
  program: Program;
  /** Every run id that an answer named: more than one is a run doubled. */
  runIds: Set<string>;
  /** When it was acknowledged. */
  at: number;
}

export interface Traffic {
  /** The file that code steps append to. */
  file: string;
  workflowIds: ReadonlyMap<string, string>;
  acknowledged: Ordered[];
  /** Answers other than an acknowledgement and 503, and 503 without Retry-After: each a defect. */
  refused: string[];
  /** How often the same request had to be sent again. */
  repeats(): number;
  /** Orders one run and repeats it until it is acknowledged. */
  order(program: Program): Promise<Ordered>;
  /** Orders so many, of all programs, all at once. */
  burst(number: number): Promise<void>;
  /** Goes on ordering, `perSecond` at most, while there is room. */
  flow(perSecond: number, hasRoom: () => boolean): void;
  /** Ends the flow and resolves when what was ordered is acknowledged. */
  stop(): Promise<void>;
}

const PAUSE_MS = 100;

/** Orders that wait for their acknowledgement, in an outage too. */
const AT_ONCE = 40;

export async function createTraffic(
  platform: Platform,
  onAcknowledged: (run: Ordered) => void,
): Promise<Traffic> {
  const folder = mkdtempSync(join(tmpdir(), 'vareon-marks-'));
  const file = join(folder, 'marks');
  // Steps run as another user.
  chmodSync(folder, 0o755);
  writeFileSync(file, '');
  chmodSync(file, 0o666);
  const workflowIds = new Map<string, string>();
  for (const { name, steps } of programs) {
    const created = await platform.askPatiently('POST', '/api/neosyntis/workflows', {
      body: { name, steps },
    });
    if (created.status !== 201) throw new Error(`${name}: ${created.status} ${created.text}`);
    workflowIds.set(name, created.body.id);
  }

  const acknowledged: Ordered[] = [];
  const refused: string[] = [];
  const ordering = new Set<Promise<unknown>>();
  let repeats = 0;
  let flowing = true;
  let flows: Promise<void> = Promise.resolve();

  async function order(program: Program): Promise<Ordered> {
    const token = randomUUID();
    const run: Ordered = { token, program, runIds: new Set(), at: 0 };
    for (;;) {
      const answer = await platform.ask(
        'POST',
        `/api/neosyntis/workflows/${workflowIds.get(program.name)}/trigger`,
        { body: { input: { token, file } }, headers: { 'Idempotency-Key': token } },
      );
      if (answer?.status === 202 || answer?.status === 200) {
        run.runIds.add(answer.body.run_id);
        run.at = Date.now();
        acknowledged.push(run);
        onAcknowledged(run);
        return run;
      }
      if (isRefusal(answer)) refused.push(`${answer?.status} ${answer?.text}`);
      repeats++;
      await pause(PAUSE_MS);
    }
  }

  let turn = 0;
  function orderNext(): void {
    const name = mix[turn++ % mix.length];
    const program = programs.find((one) => one.name === name);
    if (!program) throw new Error(`there is no program "${name}"`);
    const ordered = order(program).finally(() => ordering.delete(ordered));
    ordering.add(ordered);
  }

  async function flow(perSecond: number, hasRoom: () => boolean): Promise<void> {
    while (flowing) {
      if (hasRoom() && ordering.size < AT_ONCE) orderNext();
      await pause(1000 / perSecond);
    }
  }

  return {
    file,
    workflowIds,
    acknowledged,
    refused,
    repeats: () => repeats,
    order,
    async burst(number) {
      for (let index = 0; index < number; index++) orderNext();
      await Promise.all(ordering);
    },
    flow(perSecond, hasRoom) {
      flows = flow(perSecond, hasRoom);
    },
    async stop() {
      flowing = false;
      await flows;
      await Promise.all(ordering);
    },
  };
}

/** No answer at all and an honest 503 are what an outage may look like. */
const isRefusal = (answer: Asked): boolean =>
  answer !== undefined && !(answer.status === 503 && Number(answer.headers['retry-after']) > 0);

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
