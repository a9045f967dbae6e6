// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskRun } from '../../domain/myntrix/task-runs.ts';
import { until } from '../support/client.ts';
import type { Platform } from './platform.ts';

/** What became of the ticks of tasks that came every few seconds. */
export interface Ticked {
  ticks: number;
  /** Nominal times without a tick, with two, or with one that never ended; in words. */
  wrong: string[];
  /** Ticks that failed because a code step was in flight on a host that was killed, or no host took it in time. */
  unknown: number;
}

const EVERY_S = 4;
const ENDED_WITHIN_MS = 120_000;

const mark = {
  type: 'script',
  language: 'shell',
  arguments: ['${ $runtime.metadata.schedule.nominal_time }'],
};
const actions = (file: string) => ({
  // Each leaves its nominal time behind, by code, which is never run twice.
  marks: { ...mark, code: `echo "$1" >> "${file}"` },
  // Fails at first, so that every attempt after it is begun by another process.
  retries: {
    ...mark,
    code: `mkdir "${file}-$1" 2>/dev/null && exit 1; echo "again $1" >> "${file}"`,
    retry: { attempts: 2, delaySeconds: 1 },
  },
});

/** Has ticks come from now on. @returns what ends them, and judges each nominal time */
export async function beginTicks(platform: Platform): Promise<() => Promise<Ticked>> {
  const folder = mkdtempSync(join(tmpdir(), 'vareon-ticks-'));
  chmodSync(folder, 0o777); // steps run as another user
  const file = join(folder, 'marks');
  writeFileSync(file, '');
  chmodSync(file, 0o666);
  const tasks: { name: string; id: string }[] = [];
  for (const [name, action] of Object.entries(actions(file))) {
    const body = { name, schedule: `every ${EVERY_S}s`, overlap: 'allow_all', action };
    const made = await platform.askPatiently('POST', '/api/myntrix/tasks', { body });
    if (made.status !== 201) throw new Error(`no task: ${made.status} ${made.text}`);
    tasks.push({ name, id: made.body.id });
  }

  const historyOf = async (id: string): Promise<TaskRun[]> => {
    const answer = await platform.ask('GET', `/api/myntrix/tasks/${id}/history?limit=200`);
    return answer?.status === 200 ? answer.body : [];
  };
  const isOpen = ({ status }: TaskRun) => status === 'pending' || status === 'running';

  return async () => {
    for (const { id } of tasks)
      await until(
        () => platform.ask('POST', `/api/myntrix/tasks/${id}/pause`),
        (answer) => answer?.status === 200,
        ENDED_WITHIN_MS,
      );
    const ticked: Ticked = { ticks: 0, wrong: [], unknown: 0 };
    for (const { name, id } of tasks) {
      const all = await until(
        () => historyOf(id),
        (list) => list.length > 0 && !list.some(isOpen),
        ENDED_WITHIN_MS,
      );
      const marks = readFileSync(file, 'utf8').split('\n').filter(Boolean);
      judge(ticked, name, all.reverse(), marks);
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    return ticked;
  };
}

function judge(ticked: Ticked, name: string, ticks: TaskRun[], marks: string[]): void {
  const times = ticks.map(({ scheduledAt }) => Date.parse(scheduledAt));
  const [first = 0] = times;
  times.forEach((time, at) => {
    if (time !== first + at * EVERY_S * 1_000)
      ticked.wrong.push(`${name}: tick ${at} is of ${new Date(time).toISOString()}`);
  });
  ticked.ticks += ticks.length;
  for (const { scheduledAt, status, reason, attempt, logs } of ticks) {
    const own = name === 'marks' ? scheduledAt : `again ${scheduledAt}`;
    const count = marks.filter((one) => one === own).length;
    const what = `${name} of ${scheduledAt}: ${status}, ${count} marks, attempt ${attempt} (${reason}): ${logs}`;
    if (status === 'success' ? count !== 1 : count > 1) ticked.wrong.push(what);
    // Of the attempt that is told in `reason`, or of the one before it, which then left the failure to this one.
    else if (status === 'failed' && /unknown|did not take the step within/.test(`${reason}\n${logs}`))
      ticked.unknown++;
    // Paused while they went on, some of the last never began.
    else if (status !== 'success' && !/paused/.test(reason ?? '')) ticked.wrong.push(what);
  }
}
