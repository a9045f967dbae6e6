import { withInstallation } from './installation.ts';

/**
 * Runs as large as they may be: each must end right, and what is over a limit must be refused at save with the limit
 * named. Prints one JSON line each, with the seconds that it took from the trigger to its end.
 */
const branches = Array.from({ length: 1_000 }, (_, n) => ({ [`b${n}`]: { set: { n: `\${ .n + ${n} }` } } }));
const nested = (depth: number): unknown =>
  depth === 1 ? [{ core: { set: { depth: 60 } } }] : [{ [`d${depth}`]: { do: nested(depth - 1) } }];

const cases = [
  {
    name: 'fork of 1,000 branches',
    steps: [{ all: { fork: { branches }, output: { as: 'map(.n) | add' } } }],
    output: (999 * 1_000) / 2 + 1_000,
  },
  {
    name: 'loop of 5,000 rounds',
    steps: [
      { loop: { for: { in: '[range(5000)]' }, do: [{ add: { set: '${ { n: ((.n // 0) + $item) } }' } }] } },
    ],
    output: { n: (4_999 * 5_000) / 2 },
  },
  {
    name: 'output of 1 MiB',
    steps: [
      {
        big: { run: { shell: { command: 'head -c 1048576 /dev/zero | tr "\\0" x' } } },
      },
      { same: { do: [] } },
    ],
    output: 'x'.repeat(1024 * 1024),
  },
  { name: 'nested 60 deep', steps: nested(60), output: { depth: 60 } },
];

await withInstallation(async ({ call }) => {
  for (const { name, steps, output } of cases) {
    const startedAt = performance.now();
    try {
      const { id } = await call<{ id: string }>('POST', '/api/neosyntis/workflows', { name, steps });
      const { run_id } = await call<{ run_id: string }>('POST', `/api/neosyntis/workflows/${id}/trigger`, {
        input: { n: 1 },
      });
      const run = await untilEnded(() => call<Run>('GET', `/api/neosyntis/runs/${run_id}`));
      const ok = run.status === 'completed' && JSON.stringify(run.output) === JSON.stringify(output);
      report(name, ok, startedAt, { status: run.status, steps: run.steps_total, error: run.error });
    } catch (error) {
      report(name, false, startedAt, { error: String(error).slice(0, 500) });
    }
  }
  const tooDeep = await call('POST', '/api/neosyntis/workflows', { name: 'x', steps: nested(200) }).catch(
    (error: Error) => error.message,
  );
  const ok = /422.*deep/s.test(String(tooDeep));
  report('nested 200 deep is refused', ok, performance.now(), { answer: String(tooDeep).slice(0, 300) });
});

interface Run {
  status: string;
  output: unknown;
  error: unknown;
  steps_total: number;
}

async function untilEnded(ask: () => Promise<Run>): Promise<Run> {
  for (;;) {
    const run = await ask();
    if (['completed', 'failed', 'cancelled'].includes(run.status)) return run;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function report(name: string, ok: boolean, startedAt: number, values: object) {
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  console.log(JSON.stringify({ bench: 'large', case: name, ok, seconds, ...values }));
  if (!ok) process.exitCode = 1;
}
