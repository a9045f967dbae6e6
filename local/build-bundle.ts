import { renameSync, writeFileSync } from 'node:fs';
import { bundleWorkflows } from '../workers/bundle.ts';

/** Entry point: bundles the workflows into the file that is named, whole or not at all. */
const target = process.argv[2];
if (!target) throw new Error('Usage: build-bundle.ts <file>');
const draft = `${target}.${process.pid}`;
writeFileSync(draft, await bundleWorkflows());
renameSync(draft, target);
