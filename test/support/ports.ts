/** More than there are processes of tests; they have the numbers from 1 on, and who starts them has none. */
const SHARES = 8;
const own = Number(process.env.JEST_WORKER_ID ?? 0) % SHARES;

/**
 * The ports that other processes of the tests choose from, and those that are added: what is chosen here is not
 * listened on for seconds, and would be free to whoever chooses meanwhile.
 */
export function othersPorts(): Set<number> {
  const taken = new Set<number>();
  const isAdded = taken.has.bind(taken);
  taken.has = (port) => isAdded(port) || port % SHARES !== own;
  return taken;
}
