import v8 from 'node:v8';
import vm from 'node:vm';
import { isMainThread } from 'node:worker_threads';

/**
 * Preloaded by the platform worker (`--import`): makes the threads that run workflows cheaper. docs/decisions/046 has
 * what was measured.
 *
 * - Temporal's SDK hooks into every promise of a thread to know who waits where, for a run's "call stack". Nobody asks
 *   an interpreter of documents for it: the run's steps say where it is. V8 is slower with such hooks altogether.
 * - Node starts an operating system's thread for each call into the sandbox that has a time limit, and the SDK makes
 *   three to five for each activation. Those that run workflow code keep it: an endless loop fails its own run only.
 *
 * Whatever the SDK calls otherwise in a later version is left as it is.
 */
if (!isMainThread) {
  v8.promiseHooks.createHook = () => () => {};
  const { runInContext } = vm.Script.prototype;
  vm.Script.prototype.runInContext = function (context, options) {
    return runInContext.call(this, context, runsNoWorkflowCode(context) ? {} : options);
  };
}

/** What the SDK puts in the sandbox before a call: the function's name, and what the run at hand waits for. */
interface Sandbox {
  __temporal_args?: [holder: unknown, name: string, args: unknown[]];
  __TEMPORAL_ACTIVATOR__?: { blockedConditions?: ReadonlyMap<unknown, unknown> };
}

function runsNoWorkflowCode({ __temporal_args: called, __TEMPORAL_ACTIVATOR__: run }: Sandbox): boolean {
  switch (called?.[1]) {
    case 'initRuntime':
    case 'initialize':
    case 'concludeActivation':
    case 'dispose':
      return true;
    case 'tryUnblockConditions': // it comes at once after `activate`, so the sandbox is this run's
      return run?.blockedConditions?.size === 0;
    default:
      return false;
  }
}
