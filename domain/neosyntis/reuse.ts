import type { Json } from '../wire.ts';

/** Where a run begins again: at that step. */
export interface RerunFrom {
  path: string;
  iteration: number[];
}

/** Which run another one repeats, and from which step; all of it without one. */
export interface RerunOf {
  runId: string;
  from?: RerunFrom;
}

/** What a step of an earlier run gave, for the run that repeats it. */
export interface Reused {
  status: 'completed' | 'skipped';
  output: Json;
  /** The `$context` that it exported, if it did: a list of one value. */
  context?: [Json];
  /** Where the run went on, when the step decided it. */
  directive?: string;
}

/**
 * A step as its row tells it; `begun` and `ended` are the numbers of the changes of its latest attempt. Rows of earlier
 * versions have neither.
 */
export interface RecordedStep {
  path: string;
  iteration: number[];
  status: string;
  begun: number | null;
  ended: number | null;
}

/**
 * The place of a task by the names on the way to it. Positions are left out: another version of the definition may have
 * tasks before it. `/do/2/each/do/0/add` is `do each do add`.
 */
export function namesOf(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (let at = 0; at < segments.length; at++) {
    const segment = segments[at] ?? '';
    if (!/^\d+$/.test(segment)) {
      kept.push(segment);
      continue;
    }
    // A position, and the name of the task there, which may be a number itself.
    kept.push(segments[++at] ?? '');
  }
  return kept.join('/');
}

/** What tells a step of a run from all others, in any version of its definition. */
export const placeKey = (path: string, iteration: readonly number[]): string =>
  `${iteration.join('.')} ${namesOf(path)}`;

/** One of which both numbers are known. */
type Ended = RecordedStep & { begun: number; ended: number };

const hasEnded = (step: RecordedStep): step is Ended => step.begun !== null && step.ended !== null;

/**
 * The steps whose outcomes count for a run that begins again at `from`: those that had ended before it began, without
 * those that are part of another one of them. What holds `from` had not ended.
 */
export function reusable(steps: readonly RecordedStep[], from: RecordedStep): RecordedStep[] {
  const { begun } = from;
  if (begun === null) return [];
  const candidates = steps
    .filter(hasEnded)
    .filter(({ status, ended }) => (status === 'completed' || status === 'skipped') && ended < begun);
  const byPath = Map.groupBy(candidates, ({ path }) => path);
  const isPart = (step: Ended) =>
    holders(step.path).some((path) => byPath.get(path)?.some((holder) => holds(holder, step)));
  return candidates.filter((step) => !isPart(step));
}

/** The paths that a step's path begins with. */
const holders = (path: string): string[] =>
  [...path.matchAll(/\//g)].slice(1).map(({ index }) => path.slice(0, index));

const holds = (outer: Ended, { begun, ended }: Ended): boolean =>
  outer.begun <= begun && ended <= outer.ended;
