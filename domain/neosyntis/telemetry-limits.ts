/** Of one batch: reading it takes the thread that answers everybody. */
export const BATCH_BYTES = 4 * 1024 * 1024;
export const BATCH_ROWS = 20_000;

/** Rows that an answer names, of those that were refused. */
export const NAMED_ROWS = 100;

/** Different names, ids and tags that one user sends. */
export const SERIES_OF_USER = 10_000;

/** Of the installation's devices, all together. */
export const SERIES_OF_DEVICES = 100_000;

/** Who has the series of devices: nobody. Whoever may read telemetry reads them. */
export const INSTALLATION_OWNER = '00000000-0000-0000-0000-000000000000';

/** How old, and how far ahead of the clock, a reading may be. */
export const OLDEST_DAYS = 400;
export const AHEAD_DAYS = 1;

/** Sums of readings stay finite, and their averages are not rounded away. */
export const LARGEST = 1e290;
export const SMALLEST = 1e-290;

export const TAGS = 20;

/** Readings without an aggregation, in one answer. */
export const RAW_LIMIT = 5_000;
export const RAW_DEFAULT = 1_000;

/** Points of one answer, and series that one question is about. */
export const POINT_LIMIT = 20_000;
export const QUERY_SERIES = 1_000;
export const RAW_SERIES = 200;

export const MINUTE_US = 60_000_000;
export const HOUR_US = 3_600_000_000;
export const DAY_US = 86_400_000_000;

/** No quotes, spaces or signs that a spreadsheet would take for a formula. */
export const METRIC_PATTERN = '^[A-Za-z_][A-Za-z0-9_.:/%-]{0,199}$';
export const REFERENCE_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$';
export const TAG_PATTERN = '^[A-Za-z_][A-Za-z0-9_.-]{0,63}$';
export const TAG_LENGTH = 200;
