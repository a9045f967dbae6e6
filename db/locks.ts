/**
 * PostgreSQL's advisory locks: one number each, the same in every process of every version. They are in one place
 * because two that share a number wait for one another without a reason.
 */
export const locks = {
  /** Held while the schema is brought up to date. */
  migration: 7_281_066,
  /** Held while it is made sure that an active administrator is left. */
  administrators: 7_281_067,
  /** Held while rows are sealed with another key. */
  rotation: 7_281_068,
  /**
   * Held shared by a backup while it reads, and by retention for each piece of its work: what a backup names is not
   * deleted before it was copied.
   */
  maintenance: 7_281_069,
  /** With a number of the run: held while its lifecycle events are made, so that they follow one another. */
  lifecycle: 7_281_070,
  /** Held while a week of telemetry gets its partition. */
  telemetryPartitions: 7_281_190,
  /** Held by whoever rolls telemetry up. */
  telemetryRollups: 7_281_191,
} as const;
