import { withStack } from './stack.ts';

/** The second `npm start` of an installation, until its ready block is on the screen. Prints one JSON line. */
const LIMIT_S = 15;
const seconds = (ms: number) => Math.round(ms / 100) / 10;

await withStack(async ({ start }) => {
  const first = await start();
  await first.stop();
  const second = await start();
  const { stopMs } = await second.stop();
  const ready_s = seconds(second.readyMs);
  const ok = ready_s <= LIMIT_S;
  const others = { first_ready_s: seconds(first.readyMs), stop_s: seconds(stopMs) };
  console.log(JSON.stringify({ bench: 'start', ready_s, limit_s: LIMIT_S, ok, ...others }));
  process.exitCode = ok ? 0 : 1;
});
