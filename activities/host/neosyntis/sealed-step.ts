import { argumentText, type CodeResult, type CodeStep, stdinText } from '../../../domain/neosyntis/code.ts';
import { type ProblemKind, standardProblem } from '../../../domain/neosyntis/problems.ts';
import { putAt } from '../../../domain/neosyntis/sealed.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Masker } from '../../../drivers/secrets/mask.ts';
import { type Opened, type UnsealDeps, unseal } from '../../../drivers/secrets/unseal.ts';

/** A step with its secrets put in; without any when it uses none. */
export interface OpenStep {
  step: CodeStep;
  masker?: Masker;
  release(): void;
}

export type StepOpener = ReturnType<typeof createStepOpener>;

/** Puts secrets into a step's environment and standard input. */
export function createStepOpener(deps: UnsealDeps) {
  /** @returns the step, or why it is not run. Never throws. */
  return async function open(sealedStep: CodeStep): Promise<OpenStep | { problem: CodeResult }> {
    const { sealed, ...step } = sealedStep;
    if (!sealed) return { step: sealedStep, release: () => {} };
    const failed = (kind: ProblemKind, detail: string) => ({ problem: notRun(kind, detail) });
    try {
      const opened = await unseal(step.runId, sealed, deps);
      if ('problem' in opened) return failed(opened.problem.kind, opened.problem.detail);
      const { masker, release } = opened;
      const filled = fill(step, opened.values);
      if ('wrong' in filled) {
        release();
        return failed('validation', filled.wrong);
      }
      return { step: filled, masker, release };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return failed('communication', `The step’s secrets could not be had, so nothing ran: ${reason}.`);
    }
  };
}

/** Where a step may have secrets: `environment` by name, `stdin`, and the parameters of a request. */
function fill(step: CodeStep, values: Opened['values']): CodeStep | { wrong: string } {
  let filled = step;
  for (const { at, value } of values) {
    const [field, name] = at;
    if (field === 'stdin') filled = { ...filled, stdin: stdinText(value) };
    else if (field === 'parameters' && filled.kind === 'mcp')
      filled = { ...filled, parameters: putAt(filled.parameters ?? null, at.slice(1), value) };
    else if (field === 'environment' && typeof name === 'string') {
      const text = argumentText(value);
      if (text === undefined)
        return { wrong: `environment.${name} is ${kindOf(value)}; it must be text or a number.` };
      filled = { ...filled, environment: { ...filled.environment, [name]: text } };
    } else return { wrong: `a secret at ${at.join('.')} has no place in a step that runs code.` };
  }
  return filled;
}

const kindOf = (value: Json) => (value === null ? 'null' : Array.isArray(value) ? 'a list' : 'an object');

const notRun = (kind: ProblemKind, detail: string): CodeResult => ({
  host: '',
  stdoutBytes: 0,
  stderrBytes: 0,
  outcome: 'problem',
  problem: standardProblem(kind, detail),
});
