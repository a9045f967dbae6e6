import { once } from 'node:events';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { inTime } from '../../api/live/in-time.ts';

const WITHIN_MS = 100;
const late = () => new Error('late');

/** Answers each byte, and wakes who stands still meanwhile. */
const server = `
  const { createServer } = require('node:net');
  const { parentPort, workerData } = require('node:worker_threads');
  const server = createServer((socket) => socket.on('data', (byte) => socket.write(byte, () => {
    Atomics.store(workerData, 0, 1);
    Atomics.notify(workerData, 0);
  })));
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`;

test.each([
  ['a little', 1.2],
  ['much', 10],
])(
  'An answer that came while this process was held up %s longer than it waits counts',
  async (_how, times) => {
    const answered = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(server, { eval: true, workerData: answered });
    const [port] = await once(worker, 'message');
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const answer = inTime(WITHIN_MS, once(socket, 'data'), late);
    socket.write('?');
    const heldUpUntil = performance.now() + times * WITHIN_MS;
    expect(Atomics.wait(answered, 0, 0, 60_000)).not.toBe('timed-out');
    while (performance.now() < heldUpUntil);
    await expect(answer).resolves.toEqual([Buffer.from('?')]);
    socket.destroy();
    await worker.terminate();
  },
);

test('An answer that never comes is given up', async () => {
  await expect(inTime(WITHIN_MS, new Promise(() => {}), late)).rejects.toThrow('late');
});
