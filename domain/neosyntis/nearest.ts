/** Edit distance (Levenshtein), for suggestions. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1)
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      );
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The candidates by their likeness to a word (of which the first 100 characters count), best first. */
export function nearest(word: string, candidates: Iterable<string>, count = 3): string[] {
  const one = word.slice(0, 100).toLowerCase();
  return [...candidates]
    .map((candidate) => ({ candidate, far: distance(one, candidate.slice(0, 100).toLowerCase()) }))
    .sort((a, b) => a.far - b.far || a.candidate.localeCompare(b.candidate))
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

/** The candidate that was probably meant, if one is near enough. */
export function meant(word: string, candidates: Iterable<string>): string | undefined {
  const [best] = nearest(word, candidates, 1);
  if (best === undefined || word.length > 100) return undefined;
  return distance(word.toLowerCase(), best.toLowerCase()) <= Math.max(1, Math.floor(best.length * 0.4))
    ? best
    : undefined;
}

export const didYouMean = (word: string, candidates: Iterable<string>): string => {
  const best = meant(word, candidates);
  return best === undefined ? '' : `: did you mean \`${best}\`?`;
};
