import { ApplicationFailure } from '@temporalio/activity';
import type { Static } from 'typebox';
import { askPeople, closeApproval, noteAnswer } from '../../../db/neosyntis/asked-approvals.ts';
import type { Database } from '../../../db/orm.ts';
import { type Answered, APPROVAL_LIMIT_BYTES, type Question } from '../../../domain/neosyntis/approvals.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { verbProblem } from '../../../domain/neosyntis/verb-arguments.ts';
import { approvalWait } from '../../../domain/neosyntis/verbs/approval-wait.ts';
import type { Json } from '../../../domain/wire.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';

/** How a run asks people, and keeps what they see right. All are idempotent. */
export function createApprovalActivities({ database, bus }: { database: Database; bus: Bus }) {
  const publish = createNews(bus).events;
  return {
    /** Writes down what a run asks, and tells its owner. */
    async askPeople(question: Question): Promise<void> {
      const asked = await askPeople(database, question, wordsOf(question));
      if ('problem' in asked) throw ApplicationFailure.nonRetryable(asked.problem, 'configuration');
      publish(asked.events);
    },

    /** The run took this answer. */
    noteAnswer: (id: string, answered: Answered): Promise<void> => noteAnswer(database, id, answered),

    /** The run does not wait for an answer any more. */
    closeApproval: (id: string): Promise<void> => closeApproval(database, id),
  };
}

export type ApprovalActivities = ReturnType<typeof createApprovalActivities>;

function wordsOf({ about, name }: Question) {
  if (about.kind === 'outcome') return about;
  const args = about.args as Static<typeof approvalWait.with>; // checked here
  const problem = verbProblem(approvalWait, about.args);
  if (problem) throw ApplicationFailure.nonRetryable(`approval.wait: ${problem}`, 'invalid');
  const bytes = byteLength(about.args);
  if (bytes > APPROVAL_LIMIT_BYTES)
    throw ApplicationFailure.nonRetryable(
      `approval.wait: its arguments are ${bytes} bytes of JSON; ${APPROVAL_LIMIT_BYTES} is the limit`,
      'invalid',
    );
  const { title = name, message = '', schema, approvers } = args;
  return {
    kind: about.kind,
    title,
    message,
    ...(schema === undefined ? {} : { schema: schema as Json }),
    ...(approvers === undefined ? {} : { approvers }),
  };
}
