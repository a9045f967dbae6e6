import { parentPort } from 'node:worker_threads';
import { loadJq } from 'jq-wasm';
import type { ExpressionQuestion, ThreadAnswer, ThreadQuestion } from '../../domain/neosyntis/guarded.ts';
import type { Json } from '../../domain/wire.ts';
import { mismatches } from './schema.ts';

/** The thread's side of the guarded evaluator: says that it is ready, then answers one question after another. */
const MEMORY_MB = 256;

/** jq's arguments lie on its stack, which a larger one would run over. */
const ARGUMENTS_LENGTH = 32 * 1024;

const jq = await loadJq();

parentPort?.on('message', (question: ThreadQuestion) => {
  parentPort?.postMessage('schema' in question ? mismatches(question) : evaluate(question));
});
parentPort?.postMessage('ready');

function evaluate(question: ExpressionQuestion): ThreadAnswer {
  const { limitBytes } = question;
  const { source, input, flags } = program(question);
  try {
    const values: Json[] = [];
    let bytes = 0;
    for (const value of jq.stream<Json>(input, source, flags)) {
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

/** Variables as arguments, or, when they are large, beside the input, from where the program binds them. */
function program({ source, input, variables }: ExpressionQuestion): {
  source: string;
  input: string;
  flags: string[];
} {
  const named = Object.entries(variables);
  const length = named.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (length <= ARGUMENTS_LENGTH)
    return { source, input, flags: named.flatMap(([name, value]) => ['--argjson', name, value]) };
  const bindings = named.map(([name]) => `.variables.${name} as $${name} | `).join('');
  const values = named.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',');
  return {
    // The line end closes a comment that the source may end with.
    source: `${bindings}.input | (${source}\n)`,
    input: `{"input":${input},"variables":{${values}}}`,
    flags: [],
  };
}
