import { ApplicationFailure, defineUpdate, setHandler } from '@temporalio/workflow';
import { refusals, runUpdates } from '../../../domain/names.ts';
import type { Leg } from './leg.ts';

const updates = {
  pause: defineUpdate<void>(runUpdates.pause),
  resume: defineUpdate<void>(runUpdates.resume),
};

/**
 * Lets people pause a run and let it go on; to be called before anything else of the run waits. What changes nothing is
 * refused, and so leaves nothing in the history.
 * @returns pauses the run
 */
export function acceptPauses(leg: Leg, tell: () => void): () => void {
  const steering = (paused: boolean) => () => {
    leg.pause(paused);
    tell();
  };
  const validating = (paused: boolean) => () => {
    if (leg.isEnding()) throw refusal(refusals.ending, 'the run is about to end');
    if (leg.isPaused() === paused)
      throw refusal(refusals.already, `the run is ${paused ? '' : 'not '}paused`);
  };
  setHandler(updates.pause, steering(true), { validator: validating(true) });
  setHandler(updates.resume, steering(false), { validator: validating(false) });
  return steering(true);
}

const refusal = (type: string, message: string) =>
  ApplicationFailure.create({ type, message, nonRetryable: true });
