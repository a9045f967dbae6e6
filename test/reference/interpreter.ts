import type { Json } from '../../domain/wire.ts';
import type { AnyTask, List, WorkflowDocument } from './document.ts';
import { type Arguments, holds, transform } from './expressions.ts';
import { type ErrorObject, Fault } from './fault.ts';
import { begin, type ExecutedStep, type Interpretation, limited, type Place, type Result } from './strand.ts';
import { perform } from './tasks.ts';

export interface Interpreted {
  output?: Json;
  error?: ErrorObject;
  steps: ExecutedStep[];
  /** What is below these paths lost a race or was cancelled: it may have run or not. */
  loose: string[];
  /** How long it would take. */
  ms: number;
}

/**
 * What the Open Workflow Specification 1.0.3 says that a document does with an input; written from the specification,
 * and where that leaves room from docs/steps.md. Nothing is durable, nothing runs at once, no time passes.
 * @throws Undetermined when the document does not decide it.
 */
export async function interpret(document: WorkflowDocument, input: Json): Promise<Interpreted> {
  const run: Interpretation = {
    document,
    input,
    context: null,
    steps: new Map(),
    visits: new Set(),
    tasks: 0,
    loose: [],
  };
  const strand = { ms: 0, exported: false, readContext: false };
  const top: Place = { path: '/do', iteration: [], attempts: [], variables: {}, strand };
  const end = () => ({ steps: [...run.steps.values()], loose: run.loose, ms: strand.ms });
  try {
    const { from } = document.input ?? {};
    const started = from === undefined ? input : await transform(from, input, described(run));
    const { output } = await runList(run, document.do, started, top);
    const { as } = document.output ?? {};
    if (as === undefined) return { output, ...end() };
    return { output: await transform(as, output, { ...described(run), context: run.context }), ...end() };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { error: { instance: '/', ...error.error }, ...end() };
  }
}

/** Expressions that are compared ask only for its shape. */
const someTime = { iso8601: '1970-01-01T00:00:00Z', epoch: { seconds: 0, milliseconds: 0 } };

/** `$workflow` and `$runtime`. */
const described = ({ document, input }: Interpretation): Arguments => ({
  // A document is JSON.
  workflow: { id: '', definition: document as unknown as Json, input, startedAt: someTime },
  runtime: { name: 'vareon' },
});

/** A list of tasks: the output of one is the raw input of the next, which its flow directive may name. */
export async function runList(run: Interpretation, list: List, raw: Json, place: Place): Promise<Result> {
  const entries = list.flatMap((item) => Object.entries(item));
  let data = raw;
  for (let at = 0; at < entries.length; ) {
    const [name, task] = entries[at] ?? ['', {}];
    const path = `${place.path}/${at}/${name}`;
    const { output, directive = 'continue' } = await runTask(run, name, task, data, { ...place, path });
    data = output;
    if (directive === 'end') return { output, directive };
    if (directive === 'exit') return { output };
    at = directive === 'continue' ? at + 1 : entries.findIndex(([other]) => other === directive);
  }
  return { output: data };
}

/** One task in the order of dsl.md, "Data Flow". */
export async function runTask(
  run: Interpretation,
  name: string,
  task: AnyTask,
  raw: Json,
  outside: Place,
): Promise<Result> {
  const step = begin(run, outside);
  // What is inside is in this execution of it.
  const place = { ...outside, iteration: step.iteration };
  const { strand } = place;
  const definition = task as unknown as Json; // a task is JSON
  const about = { name, reference: place.path, definition, input: raw, startedAt: someTime };
  const base = (): Arguments => {
    if (mentionsContext(task)) strand.readContext = true;
    return { ...described(run), ...place.variables, context: run.context, task: about };
  };
  try {
    if (task.if !== undefined && !(await holds(task.if, raw, base()))) {
      step.status = 'skipped';
      return { output: raw };
    }
    const input = task.input === undefined ? raw : await transform(task.input.from, raw, base());
    const within = (): Arguments => ({ ...base(), input });
    const result = await perform(run, task, input, place, within);
    const after = { ...within(), task: { ...about, output: result.output } };
    const output = limited(
      task.output === undefined ? result.output : await transform(task.output.as, result.output, after),
    );
    if (task.export !== undefined) {
      run.context = limited(await transform(task.export.as, output, { ...after, output }));
      strand.exported = true;
    }
    step.status = 'completed';
    const directive = result.directive ?? task.then;
    return directive === undefined ? { output } : { output, directive };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    step.status = 'failed';
    throw new Fault({ ...error.error, instance: error.error.instance ?? place.path });
  }
}

/** Of a task alone; those inside it say so themselves. */
function mentionsContext(task: AnyTask): boolean {
  const own: Record<string, unknown> = { ...task };
  for (const inside of ['do', 'try', 'fork']) delete own[inside];
  if (task.catch) own.catch = { ...task.catch, do: undefined };
  return JSON.stringify(own).includes('$context');
}
