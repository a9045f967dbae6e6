import { checksumOf } from '../../drivers/devices/gcode/lines.ts';
import { startSimulator } from '../simulators/start.ts';
import { until } from '../support/client.ts';
import { program, sha256, untilStill } from '../support/programs.ts';
import { deviceOf } from './device.ts';
import type { Platform, Victim } from './platform.ts';

const LINES = 3_000;
/** Longer than all that is killed meanwhile takes. */
const MOTION_MS = 1_000;
const WITHIN_MS = 120_000;

// biome-ignore lint/suspicious/noExplicitAny: looks into answers of many shapes
type Seen = Record<string, any>;

/** A program that a printer runs while the processes of its platform are killed. */
export async function beginPrint(platform: Platform) {
  const printer = await startSimulator(['marlin', '--tcp', '0', '--motion-ms', String(MOTION_MS)]);
  const device = await deviceOf(platform, printer.address);
  const text = program(LINES);
  const lines = text.split('\n').map((line) => `${line}\n`);
  const form = new FormData();
  form.set('file', new Blob([text]), 'long.gcode');
  form.set('run', 'true');
  const sent = await fetch(new URL(`${device.path}/upload`, platform.stack.apiUrl), {
    method: 'POST',
    headers: { authorization: `Bearer ${platform.token}` },
    body: form,
  });
  const { job_id } = (await sent.json()) as { job_id: string };
  const untilJob = (done: (job: Seen) => boolean, withinMs = WITHIN_MS): Promise<Seen> =>
    until(
      async () => (await platform.ask('GET', `/api/myntrix/jobs/${job_id}`))?.body ?? {},
      (job) => job.details !== undefined && done(job),
      withinMs,
    );
  await untilJob(({ details }) => details.acknowledged_line > 3);

  /**
   * That what the printer has done is the beginning of the program, each line once and in order; and that what came by
   * the wire last is that too, with right checksums: a line may come again there, and is not done again.
   */
  async function inspect(): Promise<void> {
    const { motions, sha256: did, last } = await printer.tell({});
    if (did !== sha256(lines.slice(0, motions).join('')))
      throw new Error(`the ${motions} motions that were done are not the program's first`);
    // Who connects begins to count anew.
    const came = last.slice(last.findLastIndex((raw) => raw.includes('M110')) + 1).flatMap((raw) => {
      const [, sent = '', line = '', sum] = /^(N\d+ (G1 .*))\*(\d+)$/.exec(raw) ?? [];
      if (line === '') return [];
      if (Number(sum) !== checksumOf(sent)) throw new Error(`${raw} came with a wrong checksum`);
      return [`${line}\n`];
    });
    const once = [...new Set(came)];
    const from = lines.indexOf(once[0] ?? '');
    if (once.length === 0 || once.join('') !== lines.slice(from, from + once.length).join(''))
      throw new Error(`what came last is no piece of the program: ${JSON.stringify(last)}`);
  }

  /** What a person does who has looked at the printer. */
  async function decide(): Promise<void> {
    const { details } = await untilJob(
      ({ status, details: seen }) =>
        status === 'waiting' && seen.machine !== undefined && seen.machine !== null,
    );
    const did = await untilStill(() => printer.tell({}));
    const unsure = did.motions - details.acknowledged_line;
    if (unsure < 0 || unsure > 4)
      throw new Error(`${did.motions} motions were done, and ${details.acknowledged_line} acknowledged`);
    const body = { action: 'resume', fromLine: did.motions + 1 };
    await until(
      async () => (await platform.ask('POST', `/api/myntrix/jobs/${job_id}/decision`, { body }))?.status,
      (status) => status === 202 || status === 409, // an answer that was lost had been taken
      WITHIN_MS,
    );
  }

  return {
    /** Only who holds the printer can interrupt it: then it waits for a person. Else it has gone on, and is seen to. */
    async goesOn(victim: Victim): Promise<void> {
      const before = await printer.tell({});
      if (victim === 'host') await decide();
      const { motions } = await until(
        () => printer.tell({}),
        (now) => now.motions > before.motions,
        WITHIN_MS,
      );
      await untilJob(({ status, details }) => status === 'running' && details.acknowledged_line >= motions);
      await inspect();
    },
    /** Lets the rest go fast. @returns how it ended, and whether the printer did each line once and in order */
    async end(): Promise<{ status: string; motions: number; isRight: boolean }> {
      await printer.tell({ motionMs: 0 });
      const isOver = (job: Seen) => ['completed', 'failed', 'cancelled'].includes(job.status);
      // Thousands of lines, each with its answer: on a busy machine that takes its time.
      const { status } = await untilJob(isOver, 3 * WITHIN_MS);
      const { motions, sha256: did } = await printer.tell({});
      await device.disconnect();
      await printer.stop();
      return { status, motions, isRight: did === sha256(text) };
    },
    LINES,
  };
}
