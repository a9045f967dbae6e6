import { renameSync, writeFileSync } from 'node:fs';
import { bundleWorkflows } from '../workers/bundle.ts';

/** Entry point: bundles the workflows into the file that is named, whole or not at all. */
const [, , target, failures] = process.argv;
if (!target) throw new Error('Usage: build-bundle.ts <file> [sealed]');
const draft = `${target}.${process.pid}`;
writeFileSync(draft, await bundleWorkflows({ sealsFailures: failures === 'sealed' }));
renameSync(draft, target);
