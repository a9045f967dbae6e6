import { type Static, Type } from 'typebox';
import { Input, Output, Timeout, tasks } from './dsl/base.ts';
import type { CallTask as CallSchema } from './dsl/call.ts';
import type { DoTask as DoSchema } from './dsl/do.ts';
import type { EmitTask as EmitSchema } from './dsl/emit.ts';
import type { ForTask as ForSchema } from './dsl/for.ts';
import type { ForkTask as ForkSchema } from './dsl/fork.ts';
import { identifier, semver } from './dsl/identifiers.ts';
import type { ListenTask as ListenSchema } from './dsl/listen.ts';
import type { RaiseTask as RaiseSchema } from './dsl/raise.ts';
import type { RunTask as RunSchema } from './dsl/run.ts';
import { Schedule } from './dsl/schedule.ts';
import type { SetTask as SetSchema } from './dsl/set.ts';
import type { SwitchTask as SwitchSchema } from './dsl/switch.ts';
import type { TryTask as TrySchema } from './dsl/try.ts';
import { Use } from './dsl/use.ts';
import type { WaitTask as WaitSchema } from './dsl/wait.ts';
import type { Sources } from './sources.ts';

/**
 * The types of the step language: the Open Workflow Specification 1.0.3, as far as it is supported.
 * Each task kind has its schema in `dsl/`; `definition.ts` checks, these types say what a checked value is, once the
 * names of `use` are written out (use.ts).
 */
export type CallTask = Static<typeof CallSchema>;
export type DoTask = Static<typeof DoSchema>;
export type EmitTask = Static<typeof EmitSchema>;
export type ForTask = Static<typeof ForSchema>;
export type ForkTask = Static<typeof ForkSchema>;
export type ListenTask = Static<typeof ListenSchema>;
export type RaiseTask = Static<typeof RaiseSchema>;
export type RunTask = Static<typeof RunSchema>;
export type SetTask = Static<typeof SetSchema>;
export type SwitchTask = Static<typeof SwitchSchema>;
export type TryTask = Static<typeof TrySchema>;
export type WaitTask = Static<typeof WaitSchema>;

/** Exactly one keyword decides: `'fork' in task`. A `for` task has `do` too, so ask for `for` before `do`. */
export type Task =
  | CallTask
  | DoTask
  | EmitTask
  | ForTask
  | ForkTask
  | ListenTask
  | RaiseTask
  | RunTask
  | SetTask
  | SwitchTask
  | TryTask
  | WaitTask;

/** One key: the task's name. An interface, because tasks hold lists of tasks. */
export interface TaskItem {
  [name: string]: Task;
}
export type TaskList = TaskItem[];

/** How expressions are evaluated. */
const Evaluate = Type.Object(
  {
    language: Type.Optional(Type.Unknown()),
    mode: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false },
);

export const Document = Type.Object(
  {
    document: Type.Object(
      {
        dsl: Type.String({ pattern: '^1\\.0\\.(0|[1-9]\\d*)$' }),
        namespace: Type.String({ pattern: identifier }),
        name: Type.String({ pattern: identifier }),
        version: Type.String({ pattern: semver, maxLength: 100 }),
        title: Type.Optional(Type.String({ maxLength: 500 })),
        summary: Type.Optional(Type.String({ maxLength: 20_000 })),
        tags: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
        metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      },
      { additionalProperties: false },
    ),
    input: Type.Optional(Input),
    do: tasks(),
    use: Type.Optional(Use),
    evaluate: Type.Optional(Evaluate),
    timeout: Type.Optional(Timeout),
    output: Type.Optional(Output),
    schedule: Type.Optional(Schedule),
  },
  { additionalProperties: false },
);

/**
 * What is stored has the sources that it named when it was saved, and in loose mode its texts that are expressions;
 * nobody can send these.
 */
export type Document = Static<typeof Document> & { sources?: Sources; loose?: string[] };

/** The keyword and body of a task that was checked. */
export const entryOf = (item: TaskItem): [name: string, task: Task] => {
  const [entry] = Object.entries(item);
  if (!entry) throw new TypeError('a task item without a key: the list was not checked');
  return entry;
};
