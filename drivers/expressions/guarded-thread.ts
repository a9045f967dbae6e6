import { parentPort } from 'node:worker_threads';
import { loadJq } from 'jq-wasm';
import type { GuardedExpression, ThreadAnswer } from '../../domain/neosyntis/guarded.ts';
import type { Json } from '../../domain/wire.ts';

/** The thread's side of the guarded evaluator: says that it is ready, then answers one expression after another. */
const MEMORY_MB = 256;

const jq = await loadJq();

parentPort?.on('message', (expression: GuardedExpression & { limitBytes: number }) => {
  parentPort?.postMessage(evaluate(expression));
});
parentPort?.postMessage('ready');

function evaluate({
  source,
  input,
  variables,
  limitBytes,
}: GuardedExpression & { limitBytes: number }): ThreadAnswer {
  const flags = Object.entries(variables).flatMap(([name, value]) => [
    '--argjson',
    name,
    JSON.stringify(value),
  ]);
  try {
    const values: Json[] = [];
    let bytes = 0;
    for (const value of jq.stream<Json>(JSON.stringify(input), source, flags)) {
      bytes += JSON.stringify(value).length;
      if (bytes > limitBytes) return { problem: `it gave more than ${limitBytes} bytes of JSON, the limit` };
      values.push(value);
    }
    return { values };
  } catch (error) {
    // What jq itself did not raise is a trap of the WebAssembly: out of memory or of stack.
    if (!(error instanceof Error) || error.name !== 'JqError')
      return { problem: `it needed more than ${MEMORY_MB} MiB of memory, or too deep a stack`, fatal: true };
    return { problem: error.message.replace(/^jq: error( \(at [^)]*\))?: /, '').slice(0, 1000) };
  }
}
