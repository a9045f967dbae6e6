import { renameSync, writeFileSync } from 'node:fs';
import { bundleWorkflows } from '../workers/bundle.ts';

/**
 * Entry point: bundles the workflows into the files that are named, each whole or not at all: the one for an
 * installation whose payloads are sealed, and the other one.
 */
const [, , sealedFile, plainFile, workflowsPath] = process.argv;
if (!sealedFile) throw new Error('Usage: build-bundle.ts <file when sealed> [<file when not> [<workflows>]]');
const { sealed, plain } = await bundleWorkflows(workflowsPath ? { workflowsPath } : {});
write(sealedFile, sealed);
if (plainFile) write(plainFile, plain);

function write(target: string, code: string): void {
  const draft = `${target}.${process.pid}`;
  writeFileSync(draft, code);
  renameSync(draft, target);
}
