/** The value that a share (0 to 1) of the values does not pass, by the nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** To one decimal, for people. */
export const tenths = (value: number): number => Math.round(value * 10) / 10;
