import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

/** Temporal's JSON of a history, as `historyToJSON` and `temporal workflow show --output json` write it. */
export interface HistoryJson {
  events: HistoryEventJson[];
}
// biome-ignore lint/suspicious/noExplicitAny: events of some fifty shapes, which tests look into
export type HistoryEventJson = Record<string, any>;

/** A recorded history, named `<version>/<kind of run>`. */
export interface Recorded {
  name: string;
  workflowId: string;
  history: HistoryJson;
}

const here = dirname(fileURLToPath(import.meta.url));
/** What version `version` recorded: one file a kind of run, and beside them the large values that they refer to. */
export const versionFolder = (version: string): string => join(here, version);
const blobFile = (folder: string, sha256: string): string => join(folder, 'blobs', `${sha256}.gz`);

const isVersion = (name: string) => /^\d+\.\d+\.\d+/.test(name);

/** The versions whose histories are kept. */
export const recordedVersions = (): string[] =>
  readdirSync(here, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isVersion(entry.name))
    .map(({ name }) => name)
    .sort();

/** All recorded histories of all versions that are kept. */
export const readRecorded = (): Recorded[] =>
  recordedVersions().flatMap((version) =>
    readdirSync(versionFolder(version))
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((file) => {
        const text = readFileSync(join(versionFolder(version), file), 'utf8');
        const history = JSON.parse(text) as HistoryJson; // a file of this folder is one
        return { name: `${version}/${file.slice(0, -'.json'.length)}`, ...identified(history) };
      }),
  );

const identified = (history: HistoryJson) => ({ workflowId: startOf(history).workflowId as string, history });

/** What a history's workflow was started with. */
export function startOf({ events }: HistoryJson): HistoryEventJson {
  const start = events[0]?.workflowExecutionStartedEventAttributes;
  if (!start) throw new Error('a history begins with the start of its workflow');
  return start;
}

/** A large value of some version's histories. */
export function recordedBlob(sha256: string): Buffer | undefined {
  for (const version of recordedVersions())
    try {
      return gunzipSync(readFileSync(blobFile(versionFolder(version), sha256)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // of the file system
    }
  return undefined;
}

/** Puts these in the place of all that the version had recorded. One line an event: a change can be read as one. */
export function writeRecorded(
  version: string,
  histories: ReadonlyMap<string, HistoryJson>,
  blobs: ReadonlyMap<string, Uint8Array>,
): void {
  const folder = versionFolder(version);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'blobs'), { recursive: true });
  for (const [name, { events }] of histories) {
    const lines = events.map((event) => JSON.stringify(event)).join(',\n');
    writeFileSync(join(folder, `${name}.json`), `{"events":[\n${lines}\n]}\n`);
  }
  for (const [sha256, bytes] of blobs) writeFileSync(blobFile(folder, sha256), gzipSync(bytes, { level: 9 }));
}
