import { withInstallation } from './installation.ts';

/**
 * Runs as large as they may be: each must end right, and what is over a limit must be refused at save with the limit
 * named. Prints one JSON line each, with the seconds that it took from the trigger to its end.
 */
/** With the fork itself as many tasks as a workflow may have. */
const branches = Array.from({ length: 999 }, (_, n) => ({ [`b${n}`]: { set: { n: `\${ .n + ${n} }` } } }));
const nested = (depth: number): unknown =>
  depth === 1 ? [{ core: { set: { depth: 'reached' } } }] : [{ [`d${depth}`]: { do: nested(depth - 1) } }];

const cases = [
  {
    name: 'fork of 999 branches',
    steps: [{ all: { fork: { branches }, output: { as: 'map(.n) | add' } } }],
    output: (998 * 999) / 2 + 999,
  },
  {
    name: 'loop of 5,000 rounds',
    steps: [
      { loop: { for: { in: '[range(5000)]' }, do: [{ add: { set: '${ { n: ((.n // 0) + $item) } }' } }] } },
    ],
    output: { n: (4_999 * 5_000) / 2 + 1 },
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
  { name: 'nested 30 deep', steps: nested(30), output: { depth: 'reached' } },
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
  const more = [...branches, { b999: { set: { n: 1 } } }];
  for (const [name, steps, limit] of [
    ['fork of 1,000 branches', [{ all: { fork: { branches: more } } }], /more than 1000 tasks/],
    ['nested 60 deep', nested(60), /more than 100 levels deep/],
  ] as const) {
    const startedAt = performance.now();
    const answer = await call('POST', '/api/neosyntis/workflows', { name, steps }).catch(String);
    const ok = typeof answer === 'string' && answer.includes(' 422 ') && limit.test(answer);
    report(`${name} is refused, naming the limit`, ok, startedAt, {});
  }
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
