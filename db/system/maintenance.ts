/**
 * The advisory lock that a backup holds shared while it reads, and that retention takes for each piece of its
 * work: what a backup names is not deleted before it was copied. Any number, as long as all use the same.
 */
export const MAINTENANCE_LOCK = 7_281_067;
