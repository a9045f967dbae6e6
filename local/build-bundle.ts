import { renameSync, writeFileSync } from 'node:fs';
import { bundleWorkflows } from '../workers/bundle.ts';

/** Entry point: bundles the workflows into the file that is named, whole or not at all. */
const [, , target, workflowsPath, failures] = process.argv;
if (!target || !workflowsPath) throw new Error('Usage: build-bundle.ts <file> <workflows> [sealed]');
const draft = `${target}.${process.pid}`;
writeFileSync(draft, await bundleWorkflows({ workflowsPath, sealsFailures: failures === 'sealed' }));
renameSync(draft, target);
