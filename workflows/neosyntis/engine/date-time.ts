import type { Json } from '../../../domain/wire.ts';

/** The specification's date time descriptor (dsl.md, DateTime Descriptor). */
export const dateTime = (at: Date): Json => ({
  iso8601: at.toISOString(),
  epoch: { seconds: Math.floor(at.getTime() / 1000), milliseconds: at.getTime() },
});
