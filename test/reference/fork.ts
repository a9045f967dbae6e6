import type { Json } from '../../domain/wire.ts';
import type { AnyTask } from './document.ts';
import { type ErrorObject, Fault, Undetermined } from './fault.ts';
import { runTask } from './interpreter.ts';
import type { Interpretation, Place, Result, Strand } from './strand.ts';

/** Events that are nearer to each other happen in either order. */
const APART_MS = 60_000;

interface Branch {
  path: string;
  strand: Strand;
  result?: Result;
  error?: ErrorObject;
  /** What `$context` was when it ended. */
  context: Json;
}

/** `fork`: each branch for itself, from the same moment; then their times say what happened. */
export async function runFork(
  run: Interpretation,
  { branches, compete = false }: NonNullable<AnyTask['fork']>,
  input: Json,
  place: Place,
): Promise<Result> {
  const before = run.context;
  const startedAt = place.strand.ms;
  const ended: Branch[] = [];
  for (const [at, item] of branches.entries())
    for (const [name, task] of Object.entries(item)) {
      const strand: Strand = { ms: startedAt, exported: false, readContext: false };
      const path = `${place.path}/fork/branches/${at}/${name}`;
      run.context = before;
      const end = await runTask(run, name, task, input, { ...place, path, strand }).then(
        (result) => ({ result }),
        (error: unknown) => {
          if (error instanceof Fault) return { error: error.error };
          throw error;
        },
      );
      ended.push({ path, strand, ...end, context: run.context });
    }
  shareContext(run, ended, before, place);
  return compete ? race(run, ended, place) : all(run, ended, place);
}

/** The branches share `$context`: only one may write it while nobody else looks. */
function shareContext(run: Interpretation, ended: Branch[], before: Json, place: Place): void {
  const writers = ended.filter(({ strand }) => strand.exported);
  const others = ended.filter((branch) => branch !== writers[0]);
  if (writers.length > 0 && others.some(({ strand }) => strand.exported || strand.readContext))
    throw new Undetermined('branches share what they export');
  place.strand.exported ||= writers.length > 0;
  place.strand.readContext ||= ended.some(({ strand }) => strand.readContext);
  run.context = writers[0]?.context ?? before;
}

function all(run: Interpretation, ended: Branch[], place: Place): Result {
  const first = earliest(ended.filter(({ error }) => error !== undefined));
  if (first?.error) {
    cutOff(run, ended, first, place);
    throw new Fault(first.error);
  }
  place.strand.ms = Math.max(place.strand.ms, ...ended.map(({ strand }) => strand.ms));
  const output = ended.map(({ result }) => result?.output ?? null);
  return ended.some(({ result }) => result?.directive === 'end') ? { output, directive: 'end' } : { output };
}

function race(run: Interpretation, ended: Branch[], place: Place): Result {
  const winner = earliest(ended.filter(({ result }) => result !== undefined));
  if (winner?.result) {
    cutOff(run, ended, winner, place);
    // Branches are no list: what a branch's directive says of the next task there is nobody to hear.
    const { output, directive } = winner.result;
    return directive === 'end' ? { output, directive } : { output };
  }
  place.strand.ms = Math.max(...ended.map(({ strand }) => strand.ms));
  const error = earliest(ended)?.error;
  if (!error) throw new Undetermined('no branches');
  throw new Fault(error);
}

function earliest(branches: Branch[]): Branch | undefined {
  const [first, second] = [...branches].sort((one, other) => one.strand.ms - other.strand.ms);
  if (first && second && second.strand.ms - first.strand.ms < APART_MS)
    throw new Undetermined('branches are equally fast');
  return first;
}

/** One branch ends the others. How far they were is not decided, unless they had long been over. */
function cutOff(run: Interpretation, ended: Branch[], by: Branch, place: Place): void {
  place.strand.ms = by.strand.ms;
  for (const other of ended) {
    if (other === by || other.strand.ms + APART_MS <= by.strand.ms) continue;
    if (other.strand.exported) throw new Undetermined('a branch that is cut off exports');
    run.loose.push(other.path);
  }
}
