import { type Exit, endTree, type Tree } from './containment/containment.ts';
import { collect } from './output.ts';
import type { Pipes } from './pipes.ts';
import type { OutputStream, ProcessEnd, ProcessResult, ProcessSpec, RunOptions } from './port.ts';
import type { Spool } from './spool.ts';
import type { Stop } from './stop.ts';

export type Ended = Pick<ProcessResult, 'end' | 'stdoutBytes' | 'stderrBytes'>;

/** After the tree has ended its pipes end at once, unless somebody outside of it holds them. */
const LATE_OUTPUT_MS = 2_000;

/** Stays with a running tree until nothing is left of it and all its output is kept. */
export async function attend(
  { tree, pipes }: { tree: Tree; pipes: Pipes },
  {
    spec,
    onOutput,
    spool,
    stop,
  }: { spec: ProcessSpec; spool: Spool; stop: Stop } & Pick<RunOptions, 'onOutput'>,
): Promise<Ended> {
  const limitBytes = spec.outputLimitBytes;
  const budget = { left: limitBytes, onExceeded: () => stop.because({ kind: 'output_limit', limitBytes }) };
  const read = (stream: OutputStream): Promise<number> =>
    collect(pipes[stream], stream, { spool, budget, onOutput, filter: spec.filter?.() }).catch(
      (error: unknown) => {
        stop.because({ kind: 'output_lost', reason: error instanceof Error ? error.message : String(error) });
        return 0;
      },
    );
  const reading = Promise.all([read('stdout'), read('stderr')]);
  const letGo = (): void => {
    pipes.stdout.destroy();
    pipes.stderr.destroy();
  };
  try {
    const first = await Promise.race([tree.exited, stop.wanted]);
    await endTree(tree, spec.killGraceMs);
    const late = setTimeout(letGo, LATE_OUTPUT_MS);
    const [stdoutBytes, stderrBytes] = await reading;
    clearTimeout(late);
    return { end: 'kind' in first ? first : (cutShort(stop) ?? endOf(first)), stdoutBytes, stderrBytes };
  } finally {
    letGo();
  }
}

/** A command that ended by itself counts as such, whatever came while its rest was cleared up, but for its output. */
const cutShort = ({ reason }: Stop): ProcessEnd | undefined =>
  reason?.kind === 'output_limit' || reason?.kind === 'output_lost' ? reason : undefined;

const endOf = (exit: Exit): ProcessEnd =>
  exit.signal === null ? { kind: 'exited', code: exit.code } : { kind: 'signalled', signal: exit.signal };
