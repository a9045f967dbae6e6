import { setTimeout as delay } from 'node:timers/promises';
import { withInstallation } from './installation.ts';
import { crashes, createStamps } from './agents/stamps.ts';
const stamps = createStamps();
const N = Number(process.env.N ?? 60);
await withInstallation(async ({ stack, call }) => {
  const made: string[] = [];
  for (let at = 0; at < N; at++) {
    const { id } = await call<{ id: string }>('POST', '/api/myntrix/agents', { name: `a${at}`, configuration: { command: stamps.program, args: [`o${at}`], backoff: { initialMs: 0 }, maxRestarts: 1e6 } });
    made.push(id);
    await call('POST', `/api/myntrix/agents/${id}/start`);
  }
  await delay(5000);
  const t = await crashes(stamps, 'o0', 20);
  console.log('crash', t.map((x) => x.toFixed(1)).join(' '));
  await delay(Number(process.env.IDLE ?? 40) * 1000);
  await delay(500);
  for (const id of made) await call('DELETE', `/api/myntrix/agents/${id}`);
  await delay(5000);
}, { env: { ...(process.env.PROF ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-interval=500 --cpu-prof-dir=${process.env.PROF}` } : {}) } as never });
stamps.close();
