/**
 * A DDSketch (Masson, Rim, Lee: VLDB 2019) as SQL: how many values fell into which bin. A bin's values are within 1% of
 * one another's middle, so that what is read off it is, too; sketches are merged by adding counts of equal bins. Bins
 * are numbered in the order of their values: negative ones below 0, the value 0 is bin 0. What is stored depends on
 * these numbers: they never change.
 */
const ERROR = 0.01;
const GAMMA = (1 + ERROR) / (1 - ERROR);
const LOG = Math.log(GAMMA);

/** More than the logarithm of the smallest value (1e-290) is below 0, counted in bins. */
const OFFSET = 40_000;

/** The bin of a value that is 0 or of 1e-290 to 1e290. */
export const binOf = (value: string): string =>
  `case when ${value} = 0 then 0
     else sign(${value})::int * (ceil(ln(abs(${value})) / ${float(LOG)})::int + ${OFFSET}) end`;

/** A value within 1% of all of a bin's. */
export const valueIn = (bin: string): string =>
  `case when ${bin} = 0 then 0
     else sign(${bin}) * exp((abs(${bin}) - ${OFFSET}) * ${float(LOG)}) * ${float(2 / (1 + GAMMA))} end`;

/** Without the type PostgreSQL would compute with decimals. */
function float(value: number): string {
  return `${value}::float8`;
}
