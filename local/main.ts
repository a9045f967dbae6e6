import { runStack } from './run.ts';

/** Entry point of `npm start`. */
process.exitCode = await runStack(process);
