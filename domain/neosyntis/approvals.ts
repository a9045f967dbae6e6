import { type Static, Type } from 'typebox';
import { AnyJson, Id, type Json, literals, nullable, PageQuery, Time } from '../wire.ts';
import { fnv1a } from './code.ts';

/** `approval`: a step asks people. `outcome`: a step's effect is unknown, and a person says what became of it. */
export const approvalKinds = ['approval', 'outcome'] as const;
export type ApprovalKind = (typeof approvalKinds)[number];

/** `closed`: nobody waits for an answer any more, and none was given. */
export const approvalStatuses = ['open', 'answered', 'closed'] as const;
export type ApprovalStatus = (typeof approvalStatuses)[number];

export const outcomes = ['done', 'not_done', 'fail'] as const;
export type OutcomeAnswer = (typeof outcomes)[number];

/** What a person says. */
export interface Answer {
  approved?: boolean;
  outcome?: OutcomeAnswer;
  data?: Json;
  output?: Json;
  comment?: string;
}

/** An answer that counts. */
export interface Answered {
  answer: Answer;
  /** The username; null when the time was up. */
  by: string | null;
  userId: string | null;
  /** ISO 8601. */
  at: string;
}

/** What a run asks of people. */
export interface Question {
  id: string;
  runId: string;
  path: string;
  iteration: number[];
  attempt: number;
  /** Of the step. */
  name: string;
  about: Asked;
  /** ISO 8601, by the run's clock: asking the same again changes nothing. */
  requestedAt: string;
}

/** An approval by the arguments of `approval.wait`, evaluated and not checked yet; or what is known of a step. */
export type Asked =
  | { kind: 'approval'; args: Json }
  | { kind: 'outcome'; title: string; message: string; known: Known };

const knownFields = {
  reason: Type.String(),
  host: nullable(Type.String()),
  started_at: nullable(Time),
  noticed_at: Time,
};
export type Known = Static<typeof KnownSchema>;
const KnownSchema = Type.Object(knownFields);

/** Text and schema of one question together, and what one answer brings. */
export const APPROVAL_LIMIT_BYTES = 64 * 1024;

/** How an approver is named who is any account of a role: `role:operator`. */
export const ROLE_PREFIX = 'role:';

export const Approval = Type.Object(
  {
    id: Id,
    kind: literals(approvalKinds),
    status: literals(approvalStatuses),
    run_id: Id,
    path: Type.String({ description: 'JSON pointer to the task', examples: ['/do/0/release'] }),
    iteration: Type.Array(Type.Integer()),
    attempt: Type.Integer(),
    name: Type.String({ description: 'of the step' }),
    title: Type.String(),
    message: Type.String(),
    schema: Type.Unsafe<Json>({
      description: 'JSON Schema that `data` of the answer must fit; null without one',
    }),
    approvers: nullable(
      Type.Array(Type.String(), {
        description:
          'usernames, and roles as `role:operator`; null: the run’s owner. Administrators always may.',
      }),
    ),
    may_answer: Type.Boolean({ description: 'whether you may' }),
    requested_at: Time,
    decided_at: nullable(Time),
    decided_by: nullable(Type.String({ description: 'the username' })),
    answer: AnyJson,
    known: nullable(
      Type.Object(
        {
          ...knownFields,
          output_tail: Type.String({ description: 'the end of what the step printed so far' }),
        },
        { description: 'of an `outcome`: what is known of the step' },
      ),
    ),
  },
  { $id: 'Approval' },
);
export type Approval = Static<typeof Approval>;

export const ApprovalAnswer = Type.Object(
  {
    approved: Type.Optional(Type.Boolean({ description: 'of an `approval`' })),
    data: Type.Optional(AnyJson),
    outcome: Type.Optional(
      Type.Unsafe<OutcomeAnswer>(Type.Enum([...outcomes], { description: 'of an `outcome`' })),
    ),
    output: Type.Optional(AnyJson),
    comment: Type.Optional(Type.String({ maxLength: 2_000 })),
  },
  {
    additionalProperties: false,
    examples: [{ approved: true, comment: 'go ahead' }, { outcome: 'not_done' }],
  },
);

export const ApprovalQuery = Type.Object(
  {
    ...PageQuery,
    status: Type.Optional(literals(approvalStatuses)),
    kind: Type.Optional(literals(approvalKinds)),
    run_id: Type.Optional(Id),
  },
  { additionalProperties: false },
);

/**
 * The id of what one execution of a step asks: a UUIDv7 of the run's time, the same for the same place. Workflows have
 * no hash functions but this one; two questions that share an id by chance are of one run, and never of two.
 */
export function approvalId(
  runId: string,
  place: { path: string; iteration: number[]; attempt: number },
  kind: ApprovalKind,
): string {
  const text = `${kind} ${place.path} ${place.iteration.join('.')} ${place.attempt} ${runId}`;
  const hash = fnv1a(text) + fnv1a(`again ${text}`);
  return `${runId.slice(0, 13)}-7${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}

/** What is wrong with an answer to this kind of question, if something is; at a pointer into it. */
export function answerProblem(
  kind: ApprovalKind,
  { approved, data, outcome, output }: Answer,
): { path: string; message: string } | undefined {
  if (kind === 'approval') {
    if (approved === undefined)
      return { path: '/approved', message: 'must be true or false: this asks for an approval' };
    if (outcome !== undefined || output !== undefined)
      return {
        path: outcome === undefined ? '/output' : '/outcome',
        message: 'is for a step whose outcome is unknown; this asks for an approval',
      };
    return undefined;
  }
  if (outcome === undefined)
    return {
      path: '/outcome',
      message: `must be one of ${outcomes.join(', ')}: this asks what became of a step`,
    };
  if (approved !== undefined || data !== undefined)
    return {
      path: approved === undefined ? '/data' : '/approved',
      message: 'is for an approval; this asks what became of a step',
    };
  if (output !== undefined && outcome !== 'done')
    return { path: '/output', message: 'goes with `"outcome": "done"` only' };
  return undefined;
}

/** Whether two answers say the same, whatever the order of keys. */
export const isSameAnswer = (one: Answer, other: Answer): boolean => sorted(one) === sorted(other);

const sorted = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

/** The update by which an answer reaches its run. */
export const ANSWER_UPDATE = 'answer';

/** Type of the failure by which a run refuses an answer that it does not wait for. */
export const NOT_OPEN = 'not_open';
