import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { createPayloads } from '../../drivers/payloads/converter.ts';
import { type BlobExchange, BlobNotFound } from '../../drivers/storage/port.ts';
import { prepareBundle } from '../../local/bundle.ts';
import { cacheFolder } from '../../local/cache-folder.ts';
import { type Recorded, recordedBlob } from './files.ts';

/**
 * Runs the workflows over recorded histories, as a platform worker does with a run that it has not in
 * memory: no Temporal, no activities.
 * @param blob the large values that histories refer to, by SHA-256
 * @returns by the history's name what went wrong, or undefined when the code does what was recorded
 */
export async function replayAll(
  histories: readonly Recorded[],
  blob: (sha256: string) => Buffer | undefined = recordedBlob,
): Promise<Map<string, string | undefined>> {
  const { dataConverter } = createPayloads({ keys: [], seals: false, blobs: readOnly(blob) });
  const code = readFileSync(await bundleFile(), 'utf8');
  const options = { workflowBundle: { code }, dataConverter, reuseV8Context: true };
  const found = new Map<string, string | undefined>();
  // One after another, and results in the order given.
  let index = 0;
  for await (const { error } of Worker.runReplayHistories(options, histories))
    found.set(histories[index++]?.name ?? '', error && `${error.name}: ${error.message}`);
  return found;
}

/** The bundle that `npm start` gives its worker, made from the sources as they are when there is none yet. */
function bundleFile(): Promise<string> {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const { PATH, HOME } = process.env;
  return prepareBundle({
    root,
    cacheDir: cacheFolder(root, tmpdir()),
    env: { PATH, HOME },
    sealsFailures: false,
    signal: AbortSignal.timeout(300_000),
    onBuild: () => {},
  });
}

function readOnly(blob: (sha256: string) => Buffer | undefined): BlobExchange {
  const find = (key: string) => blob(key.slice(key.lastIndexOf('/') + 1));
  return {
    async put(key, content) {
      // The last workflow task's result is made anew, and goes nowhere.
      return { key, sizeBytes: content instanceof Uint8Array ? content.length : 0 };
    },
    async get(key) {
      const content = find(key);
      if (!content) throw new BlobNotFound(key);
      return { key, sizeBytes: content.length, content: Readable.from([content]) };
    },
    async stat(key) {
      const content = find(key);
      return content && { key, sizeBytes: content.length };
    },
  };
}
