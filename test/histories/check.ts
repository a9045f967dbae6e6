import { createLogger } from '../../logs.ts';
import { installRuntime } from '../../workers/temporal.ts';
import { readRecorded } from './files.ts';
import { replayAll } from './replay.ts';

/**
 * `npm run histories:replay`: replays all recorded histories with the workflows as they are, and prints what went
 * wrong by the history's name as one line of JSON, null for nothing. A process of its own: Jest gives each file a
 * world of its own, in which the SDK's worker does not know its own types.
 */
installRuntime(createLogger('replay', 'silent'));
const found = await replayAll(readRecorded());
const problems = [...found].map(([name, problem]): [string, string | null] => [name, problem ?? null]);
console.log(JSON.stringify(Object.fromEntries(problems)));
process.exit(problems.some(([, problem]) => problem !== null) ? 1 : 0);
