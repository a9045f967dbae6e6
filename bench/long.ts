// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { withInstallation } from './installation.ts';
import { residentMb } from './resident.ts';

/**
 * One run of 100,000 rounds of a `set`: it must end right, and the platform worker's memory must not grow with it.
 * Memory is read at each tenth of the run's time at least, from the first tenth on. Prints one JSON line.
 */
const ROUNDS = Number(process.argv[2] ?? 100_000);
const LIMIT_MB = 100;
const LOOK_MS = 5_000;

const steps = [
  {
    loop: {
      for: { in: '.items' },
      do: [{ add: { set: { sum: '${ .sum + $item }' } } }],
    },
  },
];

interface Run {
  status: string;
  output: unknown;
  error: unknown;
  progress: number;
}

await withInstallation(async ({ stack, call }) => {
  const { id } = await call<{ id: string }>('POST', '/api/neosyntis/workflows', {
    name: 'bench long',
    steps,
  });
  const startedAt = performance.now();
  const { run_id } = await call<{ run_id: string }>('POST', `/api/neosyntis/workflows/${id}/trigger`, {
    input: { items: Array.from({ length: ROUNDS }, (_, index) => index) },
  });
  const worker_mb: number[] = [];
  let run: Run;
  do {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    run = (await call<Run[]>('GET', `/api/neosyntis/workflows/${id}/runs`))[0] as Run; // the one that was triggered
    worker_mb.push(residentMb(stack.part('platform').pid ?? 0));
  } while (['pending', 'running'].includes(run.status));
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  // Caches fill in the first tenth.
  const settled = worker_mb.slice(Math.ceil(worker_mb.length / 10));
  const grew_mb = Math.max(...settled) - Math.min(...settled.slice(0, Math.ceil(settled.length / 4)));
  const sum = (ROUNDS * (ROUNDS - 1)) / 2;
  const ok = JSON.stringify(run.output) === JSON.stringify({ sum }) && grew_mb <= LIMIT_MB;
  const { status, error } = run;
  console.log(
    JSON.stringify({ bench: 'long', run_id, rounds: ROUNDS, seconds, status, error, worker_mb, grew_mb, ok }),
  );
  process.exitCode = ok ? 0 : 1;
});
