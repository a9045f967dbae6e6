import v8 from 'node:v8';
import vm from 'node:vm';
import { parentPort } from 'node:worker_threads';

/** A thread of the SDK's kind, in which its calls into a sandbox are made by hand. */
const context = vm.createContext({ Date }, { microtaskMode: 'afterEvaluate' });
const endless = 'for (;;);';
const longerThanTheLimit = '{ const until = Date.now() + 200; while (Date.now() < until); } "ended"';

function call(name: string, code: string): unknown {
  context.__temporal_args = [{}, name, []];
  try {
    return new vm.Script(code).runInContext(context, { timeout: 50, displayErrors: true });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code; // what Node throws has one
  }
}

const waitsFor = (count: number) => {
  context.__TEMPORAL_ACTIVATOR__ = {
    blockedConditions: new Map([...Array(count).keys()].map((n) => [n, {}])),
  };
};

let promises = 0;
v8.promiseHooks.createHook({ init: () => void promises++ });
await Promise.resolve();

const said: Record<string, unknown> = { promises };
for (const name of ['activate', 'another']) said[name] = call(name, endless);
waitsFor(1);
said.conditions = call('tryUnblockConditions', endless);
waitsFor(0);
said.noConditions = call('tryUnblockConditions', longerThanTheLimit);
said.concludeActivation = call('concludeActivation', longerThanTheLimit);
parentPort?.postMessage(said);
