// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { withInstallation } from './installation.ts';

/**
 * What a pure step costs, its expression included: runs of a `set` and of a `switch` in a loop of 1,000 rounds, whose
 * condition or value jq computes, less what the same run costs without rounds. The median of some runs each. Prints one
 * JSON line.
 */
const ROUNDS = 1_000;
const TIMES = 7;
const STEP_LIMIT_MS = 2;
const LOOP_LIMIT_MS = 3_000;

const kinds = {
  set: { add: { set: { n: '${ .n + $item }' } } },
  switch: { look: { switch: [{ none: { when: '.n + $item < 0', then: 'end' } }] } },
};

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const rounded = (ms: number): number => Math.round(ms * 100) / 100;

await withInstallation(async ({ call }) => {
  async function timed(id: string, rounds: number): Promise<number> {
    const startedAt = performance.now();
    const { status } = await call<{ status: string }>(
      'POST',
      `/api/neosyntis/workflows/${id}/trigger?wait=60`,
      { input: { n: 0, items: Array.from({ length: rounds }, (_, index) => index) } },
    );
    if (status !== 'completed') throw new Error(`a run is ${status}`);
    return performance.now() - startedAt;
  }
  async function several(id: string, rounds: number): Promise<number> {
    const all: number[] = [];
    for (let at = 0; at < TIMES; at++) all.push(await timed(id, rounds));
    return median(all);
  }
  const result: Record<string, number> = {};
  let ok = true;
  for (const [kind, step] of Object.entries(kinds)) {
    const { id } = await call<{ id: string }>('POST', '/api/neosyntis/workflows', {
      name: `bench ${kind}`,
      // What a round computes on is small; the items are elsewhere.
      steps: [{ loop: { input: { from: '{ n }' }, for: { in: '$workflow.input.items' }, do: [step] } }],
    });
    await timed(id, ROUNDS);
    const [none, loop] = [await several(id, 0), await several(id, ROUNDS)];
    const stepMs = (loop - none) / ROUNDS;
    result[`${kind}_step_ms`] = rounded(stepMs);
    result[`${kind}_loop_ms`] = rounded(loop);
    ok &&= stepMs <= STEP_LIMIT_MS && (kind !== 'set' || loop <= LOOP_LIMIT_MS);
  }
  console.log(JSON.stringify({ bench: 'interpreter', rounds: ROUNDS, ...result, ok }));
  process.exitCode = ok ? 0 : 1;
});
