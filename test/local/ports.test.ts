import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { freePort } from '../../local/ports.ts';

/** Which hundredth of the ports these are of. */
const shares = (ports: number[]) => [...new Set(ports.map((port) => Math.floor((port - 15_000) / 150)))];
const some = (count: number) => Promise.all(Array.from({ length: count }, () => freePort()));

test('A port is given once by a process, and another process chooses from others', async () => {
  const own = [...(await some(20)), ...(await some(20))];
  expect(new Set(own).size).toBe(40);
  expect(shares(own)).toEqual([process.pid % 100]);
  const script = `import { freePort } from '${new URL('../../local/ports.ts', import.meta.url)}';
    console.log(JSON.stringify([process.pid, await freePort()]));`;
  const text = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const [pid, port] = JSON.parse(text) as [number, number]; // as the script prints it
  expect(shares([port])).toEqual([pid % 100]);
});
