import { expect, test } from '@jest/globals';
import { createDeviceFeed, type Watcher } from '../../api/live/devices/feed.ts';
import { createDeviceRecord } from '../../api/live/devices/record.ts';
import { viewOf } from '../../domain/myntrix/device-frames.ts';
import { until } from '../support/client.ts';
import type { Frame } from '../support/socket.ts';

const sourced = (line: string, seq: number) => ({
  ...({ direction: 'in', level: 'info' } as const),
  ...{ line, at: 1_000, epoch: 1, seq, n: 0 },
});

function createStage() {
  const record = createDeviceRecord(100);
  const feed = createDeviceFeed({ record, device: () => ({ name: 'bench' }) });
  let atUs = 1_000_000;
  return {
    feed,
    say: (metric: string, ...values: number[]) =>
      feed.add({ kind: 'telemetry', readings: values.map((value) => ({ metric, value, atUs: atUs++ })) }),
    record,
    line: (line: string) => feed.add({ kind: 'log', log: sourced(line, atUs++) }),
  };
}

function watcher() {
  const sent: Buffer[] = [];
  const one = {
    sent,
    behind: 0,
    frames: (): Frame[] => sent.map((bytes) => JSON.parse(String(bytes))),
    values: (): number[] =>
      one.frames().flatMap(({ readings = [] }) => readings.map(({ value }: { value: number }) => value)),
    isGone: false,
  };
  const seen: Watcher = {
    sendText: (frame) => void sent.push(frame),
    waitingBytes: () => one.behind,
    gone: () => {
      one.isGone = true;
    },
  };
  return Object.assign(one, { seen });
}

/** Each frame goes on where the one before it ended. */
function expectNoGaps(frames: Frame[]): void {
  let told = frames[0]?.seq;
  for (const frame of frames.slice(1)) {
    if (frame.type !== 'snapshot') expect(frame.from_seq ?? frame.seq).toBe(told + 1);
    told = frame.seq;
  }
}

test('who watches the same gets the same bytes, all of it, numbered without gaps', () => {
  const { feed, say, line } = createStage();
  const [a, b] = [watcher(), watcher()];
  say('T', 1);
  feed.join(a.seen, undefined);
  feed.join(b.seen, undefined);
  for (let n = 0; n < 50; n++) say('T', n, n + 0.5);
  line('ok');
  expect(a.sent).toHaveLength(52);
  expect(a.sent.slice(1).every((frame, at) => frame === b.sent[at + 1])).toBe(true);
  expect(a.frames()[0]).toMatchObject({ type: 'snapshot', seq: 101, latest: { T: { value: 1 } } });
  expect(a.values()).toEqual(Array.from({ length: 100 }, (_, n) => n / 2));
  expectNoGaps(a.frames());
  feed.close();
});

test('who asks for some metrics and no lines gets no others, and numbers that cover what was left out', () => {
  const { feed, say, line } = createStage();
  const [a, late] = [watcher(), watcher()];
  const view = viewOf({ type: 'subscribe', metrics: ['B'], logs: false });
  feed.join(a.seen, undefined).turn(view);
  say('T', 1);
  line('left out');
  say('B', 2, 3);
  say('T', 4);
  feed.join(late.seen, undefined).turn(view);
  say('B', 5, 6);
  expect(a.values()).toEqual([2, 3, 5, 6]);
  expect(late.values()).toEqual([5, 6]);
  expectNoGaps(a.frames());
  expectNoGaps(late.frames());
  feed.close();
});

test('who is slow is sent nothing meanwhile, then the newest of each metric in one frame with the lines', async () => {
  const { feed, say, line } = createStage();
  const [slow, quick] = [watcher(), watcher()];
  feed.join(slow.seen, undefined);
  feed.join(quick.seen, undefined);
  slow.behind = 1_000_000;
  for (let n = 0; n < 1_000; n++) say('T', n);
  say('B', 7);
  for (let n = 0; n < 150; n++) line(`line ${n}`);
  expect(slow.sent).toHaveLength(1);
  slow.behind = 0;
  await until(
    async () => slow.sent.length,
    (count) => count > 1,
    60_000,
  ); // nothing new comes that would tell it
  const [, digest] = slow.frames();
  expect(digest).toMatchObject({
    type: 'telemetry',
    from_seq: 101,
    to_seq: 1_251,
    seq: 1_251,
    logs_cut: true,
  });
  expect(slow.values()).toEqual([999, 7]);
  expect(digest?.logs.map(({ line }: { line: string }) => line)).toEqual(
    Array.from({ length: 100 }, (_, n) => `line ${n + 50}`),
  );
  say('T', 1_000, 1_001);
  expect(slow.values()).toEqual([999, 7, 1_000, 1_001]);
  expect(quick.values()).toHaveLength(1_003);
  expectNoGaps(slow.frames());
  feed.close();
});

test('who wants less often gets the newest values at that rate', async () => {
  const { feed, say } = createStage();
  const [a, b] = [watcher(), watcher()];
  for (const one of [a, b]) feed.join(one.seen, undefined).turn(viewOf({ type: 'subscribe', max_hz: 20 }));
  const beganAt = performance.now();
  let n = 0;
  while (performance.now() < beganAt + 400) {
    say('T', ++n);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await until(
    async () => a.values().at(-1),
    (value) => value === n,
    60_000,
  );
  const told = a.frames().filter(({ type }) => type === 'telemetry');
  expect(told.length).toBeLessThanOrEqual(((performance.now() - beganAt) / 1_000) * 20 + 2);
  expect(told.every(({ readings }) => readings.length === 1)).toBe(true);
  expect(a.sent.at(-1)).toBe(b.sent.at(-1));
  expectNoGaps(a.frames());
  feed.close();
});

test('who comes again goes on after the number that they had, and gets a snapshot when that is too long ago or of others', () => {
  const { feed, say, line } = createStage();
  const [first, again, foreign, late] = [watcher(), watcher(), watcher(), watcher()];
  const member = feed.join(first.seen, undefined);
  say('T', 1);
  const { seq } = first.frames().at(-1) ?? {};
  member.leave();
  say('T', 2);
  line('ok');
  feed.join(again.seen, seq);
  say('T', 3);
  expect(again.frames().map(({ type }) => type)).toEqual(['telemetry', 'log', 'telemetry']);
  expect(again.values()).toEqual([2, 3]);
  feed.join(foreign.seen, seq + 1_000);
  expect(foreign.frames()[0]).toMatchObject({ type: 'snapshot', latest: { T: { value: 3 } } });
  for (let n = 0; n < 1_000; n++) say('T', n);
  feed.join(late.seen, seq);
  expect(late.frames()).toMatchObject([{ type: 'snapshot', latest: { T: { value: 999 } } }]);
  feed.close();
});

test('what is older than what is known changes nothing of the newest values, and a gap is told by a snapshot', () => {
  const record = createDeviceRecord(0);
  const feed = createDeviceFeed({ record, device: () => ({}) });
  const a = watcher();
  feed.join(a.seen, undefined);
  feed.add({ kind: 'telemetry', readings: [{ metric: 'T', value: 2, atUs: 2_000 }] });
  feed.add({ kind: 'telemetry', readings: [{ metric: 'T', value: 1, atUs: 1_000 }] });
  feed.renew();
  expect(a.frames().at(-1)).toMatchObject({
    type: 'snapshot',
    seq: 2,
    gap: true,
    latest: { T: { value: 2 } },
  });
  expect(record.newer([{ metric: 'T', value: 3, atUs: 2_000 }])).toEqual([]);
  feed.gone();
  expect(a.isGone).toBe(true);
  feed.close();
});

test('a snapshot has the newest lines, oldest first, for who wants lines; those of the store come before, each once', () => {
  const { feed, record, line } = createStage();
  const texts = (frame: Frame | undefined) => frame?.logs?.map(({ line }: { line: string }) => line);
  const [first, quiet, again] = [watcher(), watcher(), watcher()];
  line('told before the store was asked');
  const told = record.lines()[0] as ReturnType<typeof sourced>; // the line above, with its source
  record.learnLines([sourced('stored', 1), told]);
  feed.join(first.seen, undefined);
  expect(texts(first.frames()[0])).toEqual(['stored', 'told before the store was asked']);
  // What is in the snapshot is not told again, and what comes twice is known.
  expect(record.newLines([told, sourced('new', 2)]).map(({ line }) => line)).toEqual(['new']);
  feed.join(quiet.seen, undefined).turn(viewOf({ type: 'subscribe', logs: false }));
  expect(quiet.frames()[1]).not.toHaveProperty('logs');
  for (let n = 0; n < 1_000; n++) line(`line ${n}`);
  feed.join(again.seen, undefined);
  expect(texts(again.frames()[0])).toEqual(Array.from({ length: 300 }, (_, n) => `line ${700 + n}`));
  record.learnLines([sourced('older than all of these', 3)]);
  expect(record.lines()).toHaveLength(300);
  feed.close();
});

test('who is slow gets the newest hundred lines, and is told that there were more', async () => {
  const { feed, line } = createStage();
  const slow = watcher();
  feed.join(slow.seen, undefined);
  slow.behind = 10_000_000;
  for (let n = 0; n < 150; n++) line(`line ${n}`);
  slow.behind = 0;
  const digest = await until(
    async () => slow.frames().at(-1),
    (frame) => frame?.type === 'telemetry',
    60_000,
  );
  expect(digest).toMatchObject({ logs_cut: true, readings: [] });
  expect(digest?.logs).toHaveLength(100);
  expect(digest?.logs.at(-1)).toMatchObject({ line: 'line 149' });
  feed.close();
});
