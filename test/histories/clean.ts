import type { HistoryEventJson, HistoryJson } from './files.ts';

/** Who did it and where in the code: of the machine that recorded, and nothing that a replay reads. */
const OF_THE_MACHINE = new Set(['identity', 'stackTrace']);

/** A history as it is kept in the repository. @throws when it holds one of the `forbidden` texts, in clear or in a payload. */
export function cleaned(name: string, history: HistoryJson, forbidden: readonly string[]): HistoryJson {
  const kept = without(history) as HistoryJson; // only leaves are taken out
  const text = textsOf(kept).join('\n');
  for (const one of forbidden)
    if (
      text.split(one).some((before, at, all) => at + 1 < all.length && standsAlone(before, all[at + 1] ?? ''))
    )
      throw new Error(`the history ${name} holds ${JSON.stringify(one.slice(0, 6))}…`);
  return kept;
}

/** That what was between these is no part of a longer word: a machine may be called `vm`. */
const standsAlone = (before: string, after: string): boolean => !/\w$/.test(before) && !/^\w/.test(after);

function without(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(without);
  if (value === null || typeof value !== 'object') return value;
  // A worker's own queue is named after its machine and process.
  if ('kind' in value && value.kind === 'TASK_QUEUE_KIND_STICKY') return { ...value, name: 'sticky' };
  const entries = Object.entries(value).filter(([key]) => !OF_THE_MACHINE.has(key));
  return Object.fromEntries(entries.map(([key, item]) => [key, without(item)]));
}

/** All texts of a history; those of payloads, which are JSON in base64, as what they say. */
export function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (value === null || typeof value !== 'object') return [];
  const { metadata, data } = value as HistoryEventJson;
  if (metadata?.encoding && typeof data === 'string') return [Buffer.from(data, 'base64').toString()];
  return Object.values(value).flatMap(textsOf);
}
