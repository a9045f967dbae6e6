import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Entry point of `npm start`. Node keeps what it makes of the sources, which halves the next start's work. */
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/vareon/compile', import.meta.url)));
const { runStack } = await import('./run.ts');
process.exitCode = await runStack(process);
