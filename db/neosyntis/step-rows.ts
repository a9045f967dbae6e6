import type { ProjectionBatch, StepChange } from '../../domain/neosyntis/projection.ts';

/**
 * Each step once, as its last change leaves it. Of those that began again `earlier` are the attempts that the batch
 * itself tells, and the steps whose attempts before `first` are in the database.
 */
export function stepRows({ from, changes }: ProjectionBatch) {
  const latest = new Map<string, StepRow>();
  const told: StepRow[] = [];
  const stored: { path: string; iteration: string; first: number }[] = [];
  changes.forEach((change, index) => {
    if (!('step' in change)) return;
    const { step } = change;
    const number = from + index;
    const iteration = `{${step.iteration.join(',')}}`;
    const key = `${step.path} ${iteration}`;
    const before = latest.get(key);
    const sameAttempt = before?.attempt === step.attempt ? before : undefined;
    if (before && !sameAttempt) told.push(before);
    if (!before && step.attempt > 1) stored.push({ path: step.path, iteration, first: step.attempt });
    latest.set(key, {
      ...inputOf(sameAttempt),
      ...step,
      iteration,
      ordinal: before?.ordinal ?? number,
      begun: sameAttempt?.begun ?? number,
      ended: step.endedAt === undefined ? null : number,
    });
  });
  return { steps: [...latest.values()], earlier: { told, stored } };
}

interface StepRow extends Omit<StepChange, 'iteration'> {
  iteration: string;
  ordinal: number;
  begun: number;
  ended: number | null;
}

/** What is told once an attempt; all else a change has whole. */
const inputOf = ({ input, inputBlob }: Partial<StepRow> = {}) => ({
  ...(input === undefined ? {} : { input }),
  ...(inputBlob === undefined ? {} : { inputBlob }),
});
