import type { Document } from '../../../domain/neosyntis/dsl.ts';
import type { Json } from '../../../domain/wire.ts';
import { type Frame, framed, valueIn } from './frames.ts';
import type { RunContext } from './scope.ts';
import { timeoutMs, within } from './timeout.ts';

/** A whole document, in the specification's order: `input.schema`, `input.from`, its tasks, `output.as`, `output.schema`. */
export async function runDocument(
  run: RunContext,
  document: Document,
  raw: Json,
  startedAt: number,
  frame: Frame | undefined,
): Promise<Json> {
  run.context = valueIn(frame, 'context') ?? null;
  return framed(
    () => within(timeoutMs(document), () => runWhole(run, document, raw, frame), startedAt),
    (inside) => ({ ...(inside ?? { state: {} }), values: { ...inside?.values, context: run.context } }),
  );
}

async function runWhole(run: RunContext, document: Document, raw: Json, frame: Frame | undefined) {
  const { evaluator, constants } = run;
  const shaped = async () => {
    await run.checkSchema(document.input?.schema, raw, 'input');
    return document.input?.from === undefined ? raw : evaluator.shape(document.input.from, raw, constants);
  };
  const input = frame ? (valueIn(frame, 'input') ?? null) : await shaped();
  const whole = {
    pointer: '/do',
    iteration: [],
    attempts: [],
    around: [],
    variables: {},
    from: 0,
    span: 1,
  };
  const { output } = await framed(
    () => run.tasks.list(run, document.do, input, whole, frame?.inside),
    (inside) => ({ state: {}, values: { input }, inside }),
  );
  const put =
    document.output?.as === undefined
      ? output
      : await evaluator.shape(document.output.as, output, { ...constants, context: run.context });
  await run.checkSchema(document.output?.schema, put, 'output');
  return put;
}
