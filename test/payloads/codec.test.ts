import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { createPayloadCodec } from '../../drivers/payloads/codec.ts';

const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const shown = (payload: Payload | undefined): unknown =>
  payload && defaultPayloadConverter.fromPayload(payload);

const key = randomBytes(32);
const codec = createPayloadCodec([key], { seals: true });
const context = (workflowId: string) => ({ type: 'workflow', namespace: 'default', workflowId }) as const;
const CANARY = 'a canary in a coal mine';

describe('The payload codec', () => {
  test('seals values, and opens them again', async () => {
    const sealed = await codec.encode([payloadOf({ secret: CANARY }), payloadOf(undefined)], context('w'));
    expect(Buffer.from(sealed[0]?.data ?? []).includes(CANARY)).toBe(false);
    expect(JSON.stringify(sealed)).not.toContain(Buffer.from('secret').toString('base64').slice(0, 6));
    const opened = await codec.decode(sealed);
    expect(opened.map(shown)).toEqual([{ secret: CANARY }, undefined]);
  });

  test('seals a small value differently each time, and a large one alike within its workflow only', async () => {
    const seal = async (value: unknown, workflowId: string) =>
      Buffer.from((await codec.encode([payloadOf(value)], context(workflowId)))[0]?.data ?? []);
    expect((await seal('yes', 'one')).equals(await seal('yes', 'one'))).toBe(false);
    const large = 'x'.repeat(300_000);
    expect((await seal(large, 'one')).equals(await seal(large, 'one'))).toBe(true);
    expect((await seal(large, 'one')).equals(await seal(large, 'two'))).toBe(false);
    const [first, second] = [await seal(large, 'one'), await seal(`${large}x`, 'one')];
    expect(first.subarray(0, 12).equals(second.subarray(0, 12))).toBe(false);
  });

  test('opens with retired keys, refuses unknown ones, and passes on what is not sealed', async () => {
    const [sealed] = await codec.encode([payloadOf(CANARY)]);
    const rotated = createPayloadCodec([randomBytes(32), key], { seals: true });
    expect(shown((await rotated.decode([sealed as Payload]))[0])).toBe(CANARY);
    const stranger = createPayloadCodec([randomBytes(32)], { seals: true });
    await expect(stranger.decode([sealed as Payload])).rejects.toThrow('which is not here');
    expect(shown((await codec.decode([payloadOf(1)]))[0])).toBe(1);
  });

  test.each(['data', 'key id', 'length'])('refuses what was changed: its %s', async (what) => {
    const [sealed] = (await codec.encode([payloadOf(CANARY)])) as [Payload];
    const data = Buffer.from(sealed.data ?? []);
    if (what === 'data') data[20] = (data[20] ?? 0) ^ 1;
    const changed: Payload = { metadata: { ...sealed.metadata }, data };
    if (what === 'length') changed.data = data.subarray(0, 20);
    if (what === 'key id') changed.metadata = { ...sealed.metadata, 'encryption-key-id': Buffer.from('0') };
    await expect(codec.decode([changed])).rejects.toThrow();
  });

  test('that is switched off still opens what was sealed before', async () => {
    const off = createPayloadCodec([key], { seals: false });
    const [clear] = await off.encode([payloadOf(CANARY)]);
    expect(shown(clear)).toBe(CANARY);
    expect((await off.decode(await codec.encode([payloadOf(CANARY)]))).map(shown)).toEqual([CANARY]);
  });
});
