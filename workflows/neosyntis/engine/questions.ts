import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  defineUpdate,
  isCancellation,
  setHandler,
} from '@temporalio/workflow';
import type { ApprovalActivities } from '../../../activities/platform/neosyntis/approvals.ts';
import {
  ANSWER_UPDATE,
  type Answer,
  type Answered,
  isSameAnswer,
  NOT_OPEN,
  type Question,
} from '../../../domain/neosyntis/approvals.ts';
import type { Leg } from './leg.ts';
import { failure, type TaskFailure } from './problem.ts';
import type { Recorder } from './recorder.ts';
import type { Standing } from './standing.ts';

/** Everything that a run remembers of what it asks: plain JSON, to be carried to where the run goes on. */
export interface Waits {
  /** When each question was asked, by its id, as long as somebody waits for it. */
  asked: { [id: string]: string };
  /** Answers that were taken and whose step has not gone on yet. */
  answers: { [id: string]: Answered };
}

/** What comes with an answer. */
export interface GivenAnswer {
  id: string;
  answer: Answer;
  by: string;
  userId: string;
}

/** Who gets what this gives back knows that the run has the answer, and keeps it. */
export const answerUpdate = defineUpdate<Answered, [GivenAnswer]>(ANSWER_UPDATE);

/** Takes answers from the first moment of an execution on. */
export function takeAnswers(waits: Waits): void {
  setHandler(
    answerUpdate,
    ({ id, answer, by, userId }) => {
      const answered = waits.answers[id] ?? { answer, by, userId, at: new Date().toISOString() };
      waits.answers[id] = answered;
      return answered;
    },
    {
      validator({ id, answer }) {
        const known = waits.answers[id];
        if (waits.asked[id] === undefined || (known && !isSameAnswer(known.answer, answer)))
          throw ApplicationFailure.nonRetryable('Nobody waits for this answer.', NOT_OPEN);
      },
    },
  );
}

/** Asks people, and waits for the answer however long that takes. */
export function createQuestions(deps: {
  waits: Waits;
  /** One after the other. */
  activities: ApprovalActivities;
  leg: Pick<Leg, 'waitFor'>;
  standing: Standing;
  recorder: Pick<Recorder, 'flush'>;
}) {
  const { waits, activities, leg, standing, recorder } = deps;

  async function write(question: Omit<Question, 'requestedAt'>): Promise<void> {
    if (waits.asked[question.id] !== undefined) return;
    const requestedAt = new Date().toISOString();
    waits.asked[question.id] = requestedAt;
    await activities.askPeople({ ...question, requestedAt });
  }

  /** The row follows what the run knows. */
  const settle = (id: string) =>
    CancellationScope.nonCancellable(async () => {
      const answered = waits.answers[id];
      forget(id);
      await (answered ? activities.noteAnswer(id, answered) : activities.closeApproval(id));
    });

  function forget(id: string): void {
    delete waits.asked[id];
    delete waits.answers[id];
  }

  /** A safe point all the while: who asks again in the run's next execution waits for the same answer. */
  async function waitFor(id: string): Promise<Answered> {
    standing.leave();
    try {
      await leg.waitFor(() => waits.answers[id] !== undefined);
    } finally {
      standing.enter();
    }
    const answered = waits.answers[id];
    if (!answered) throw new TypeError(`the answer ${id} is gone`);
    standing.goesOn();
    return answered;
  }

  /** @throws TaskFailure when the question itself is wrong. */
  async function ask(question: Omit<Question, 'requestedAt'>): Promise<Answered> {
    const { id } = question;
    try {
      await write(question);
      recorder.flush();
      const answered = await waitFor(id);
      await settle(id);
      return answered;
    } catch (error) {
      if (isCancellation(error)) await settle(id);
      if (isCancellation(error)) throw error;
      const refusal = refusalOf(error);
      if (!refusal) throw error;
      forget(id);
      throw refusal;
    }
  }

  return {
    ask,

    /** An answer of nobody's, if nobody gave one: the time was up. */
    answer(id: string, answer: Answer): void {
      waits.answers[id] ??= { answer, by: null, userId: null, at: new Date().toISOString() };
    },

    /** When a question was asked, in ms since 1970. */
    askedAt: (id: string): number => Date.parse(waits.asked[id] ?? new Date().toISOString()),
  };
}

export type Questions = ReturnType<typeof createQuestions>;

/** Why a question cannot be asked. What a local activity says for good comes as it is, all else in an ActivityFailure. */
function refusalOf(error: unknown): TaskFailure | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure)
    return failure(cause.type === 'invalid' ? 'validation' : 'configuration', cause.message);
  return error instanceof ActivityFailure
    ? failure('runtime', 'The question could not be asked.')
    : undefined;
}
