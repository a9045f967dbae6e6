/** One digit after the point is what such a figure is good for; never outside of 0 to 100. */
export const percent = (value: number): number =>
  Math.min(100, Math.max(0, Math.round((Number.isFinite(value) ? value : 0) * 10) / 10));
