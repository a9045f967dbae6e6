import { type Static, Type } from 'typebox';
import { base, DurationOrText, durationProblem, expression, FlowDirective, tasks } from './base.ts';
import type { KindProblem, Path, TaskKind } from './kind.ts';
import { variable, variableProblem } from './variable.ts';

const text = (description: string) => Type.String({ minLength: 1, maxLength: 2_000, description });

const ErrorFilter = Type.Object(
  {
    type: Type.Optional(text('Of standard types the last path segment decides')),
    status: Type.Optional(Type.Integer()),
    instance: Type.Optional(text('JSON pointer to the task that failed')),
    title: Type.Optional(text('Exactly this title')),
    detail: Type.Optional(text('Exactly this detail')),
  },
  { additionalProperties: false, minProperties: 1 },
);

const nothing = Type.Object({}, { additionalProperties: false });

const Backoff = Type.Object(
  { constant: Type.Optional(nothing), linear: Type.Optional(nothing), exponential: Type.Optional(nothing) },
  { additionalProperties: false, minProperties: 1, maxProperties: 1 },
);

export const RetryPolicy = Type.Object(
  {
    when: Type.Optional(expression('Tries again only when true')),
    exceptWhen: Type.Optional(expression('Does not try again when true')),
    delay: Type.Optional(DurationOrText),
    backoff: Type.Optional(Backoff),
    limit: Type.Optional(
      Type.Object(
        {
          attempt: Type.Optional(
            Type.Object(
              {
                count: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000 })),
                duration: Type.Optional(DurationOrText),
              },
              { additionalProperties: false },
            ),
          ),
          duration: Type.Optional(DurationOrText),
        },
        { additionalProperties: false },
      ),
    ),
    jitter: Type.Optional(
      Type.Object({ from: DurationOrText, to: DurationOrText }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false },
);

export type RetryPolicy = Static<typeof RetryPolicy>;

export const TryTask = Type.Object(
  {
    ...base,
    try: tasks(),
    catch: Type.Object(
      {
        errors: Type.Optional(Type.Object({ with: ErrorFilter }, { additionalProperties: false })),
        as: Type.Optional(variable('Variable of the caught error; default: error')),
        when: Type.Optional(expression('Catches only when true')),
        exceptWhen: Type.Optional(expression('Does not catch when true')),
        retry: Type.Optional(RetryPolicy),
        do: Type.Optional(tasks()),
        then: Type.Optional(FlowDirective),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

/** The variable that holds the caught error. */
export const errorVariable = (task: { catch: { as?: string } }): string => task.catch.as ?? 'error';

export const tryKind: TaskKind<typeof TryTask> = {
  keyword: 'try',
  schema: TryTask,
  children: (task) => [
    { path: ['try'], tasks: task.try },
    ...(task.catch.do === undefined
      ? []
      : [{ path: ['catch', 'do'], tasks: task.catch.do, variables: [errorVariable(task)] }]),
  ],
  expressions(task) {
    const bare = (path: Path, value: string | undefined) => ({
      path,
      value,
      bare: true,
      variables: [errorVariable(task)],
    });
    const { when, exceptWhen, retry } = task.catch;
    return [
      bare(['catch', 'when'], when),
      bare(['catch', 'exceptWhen'], exceptWhen),
      bare(['catch', 'retry', 'when'], retry?.when),
      bare(['catch', 'retry', 'exceptWhen'], retry?.exceptWhen),
    ].filter(({ value }) => value !== undefined);
  },
  targets: ({ catch: { then } }) => (then === undefined ? [] : [{ path: ['catch', 'then'], name: then }]),
  check(task) {
    const named = task.catch.as === undefined ? undefined : variableProblem(task.catch.as);
    return [...(named === undefined ? [] : [{ path: ['catch', 'as'], message: named }]), ...durations(task)];
  },
};

function durations({ catch: { retry } }: { catch: { retry?: RetryPolicy } }): KindProblem[] {
  const at = (path: Path, value: unknown): KindProblem[] => {
    const message = durationProblem(value);
    return message === undefined ? [] : [{ path: ['catch', 'retry', ...path], message }];
  };
  return [
    ...at(['delay'], retry?.delay),
    ...at(['limit', 'duration'], retry?.limit?.duration),
    ...at(['limit', 'attempt', 'duration'], retry?.limit?.attempt?.duration),
    ...at(['jitter', 'from'], retry?.jitter?.from),
    ...at(['jitter', 'to'], retry?.jitter?.to),
  ];
}
