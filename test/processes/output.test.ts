import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createTextDecoder, pieces, wholeCharacters } from '../../drivers/processes/text.ts';
import { containments, createRig, type Rig } from './rig.ts';

const text = 'aé€😀'; // characters of 1, 2, 3 and 4 bytes
const bytes = Buffer.from(text);

describe('Text of a process', () => {
  test('characters that are split between reads stay whole', () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const decode = createTextDecoder();
      expect(decode(bytes.subarray(0, cut)) + decode(bytes.subarray(cut)) + decode(undefined)).toBe(text);
    }
  });

  test('bytes that are not UTF-8, and NUL, become U+FFFD', () => {
    const decode = createTextDecoder();
    expect(decode(Buffer.from([0x61, 0xff, 0x62, 0x00, 0x63, 0xe2, 0x82])) + decode(undefined)).toBe(
      'a\ufffdb\ufffdc\ufffd',
    );
  });

  test('pieces hold whole characters and lose nothing', () => {
    const long = Buffer.from(text.repeat(100));
    for (const limit of [4, 5, 6, 7, 1_000]) {
      const cut = [...pieces(long, limit)];
      expect(Buffer.concat(cut)).toEqual(long);
      expect(cut.every((piece) => piece.length <= limit && !piece.toString().includes('\ufffd'))).toBe(true);
    }
  });

  test('a range gives the characters that are wholly in it', () => {
    for (let from = 0; from <= bytes.length; from += 1)
      for (let to = from; to <= bytes.length; to += 1) {
        const found = wholeCharacters(bytes.subarray(from, to)).bytes.toString();
        expect(found).not.toContain('\ufffd');
        expect(text).toContain(found);
      }
    expect(wholeCharacters(bytes.subarray(1, 7))).toEqual({ skipped: 0, bytes: Buffer.from('é€') });
    expect(wholeCharacters(bytes.subarray(2))).toEqual({ skipped: 1, bytes: Buffer.from('€😀') });
  });
});

describe('The spool', () => {
  let rig: Rig;
  beforeAll(async () => {
    const [containment] = containments;
    if (!containment) throw new Error('no containment');
    rig = await createRig(containment);
  });
  afterAll(() => rig.close());

  test('offsets are contiguous and count what the spool holds', async () => {
    const gate = rig.newGate();
    const {
      id,
      pieces: seen,
      out,
    } = await rig.shell(
      `i=0; while [ $i -lt 40 ]; do [ $i -eq 20 ] && ${gate.wait}; printf "é€😀\\000\\377%s" $i; i=$((i+1)); done`,
      { onOutput: gate.open },
    );
    let offset = 0;
    for (const piece of seen) {
      expect([piece.offset, piece.bytes]).toEqual([offset, Buffer.byteLength(piece.text)]);
      offset += piece.bytes;
    }
    expect(seen.length).toBeGreaterThan(1);
    expect(out).toBe(Array.from({ length: 40 }, (_, index) => `é€😀\ufffd\ufffd${index}`).join(''));
    expect(await rig.processes.readSpool(id, 'stdout', 0, 1e9)).toMatchObject({
      offset: 0,
      bytes: offset,
      text: out,
    });
  });

  test('ranges are read again, and there is nothing beyond the end', async () => {
    const { id } = await rig.shell('printf aé€; printf other >&2');
    const read = (from: number, to: number) => rig.processes.readSpool(id, 'stdout', from, to);
    expect(await read(1, 3)).toEqual({ stream: 'stdout', offset: 1, bytes: 2, text: 'é' });
    expect(await read(0, 2)).toEqual({ stream: 'stdout', offset: 0, bytes: 1, text: 'a' });
    expect(await read(6, 10)).toEqual({ stream: 'stdout', offset: 6, bytes: 0, text: '' });
    expect(await read(5, 1)).toMatchObject({ bytes: 0 });
    expect((await rig.processes.readSpool(id, 'stderr', 0, 100)).text).toBe('other');
    expect((await rig.processes.readSpool('never-ran', 'stdout', 0, 100)).text).toBe('');
    expect((await rig.processes.readSpool('../spool', 'stdout', 0, 100)).text).toBe('');
  });

  test('a step that ran is not run again', async () => {
    const { id } = await rig.shell('echo once');
    const again = await rig.shell('echo twice', { id });
    expect(again.end).toMatchObject({ kind: 'not_started', cause: 'ran_before' });
    expect((await rig.processes.readSpool(id, 'stdout', 0, 100)).text).toBe('once\n');
  });

  test('old spools are dropped, fresh ones and those in use are kept', async () => {
    const { id } = await rig.shell('echo old');
    expect(await rig.processes.pruneSpools(86_400_000)).toBe(0);
    const abort = new AbortController();
    const slow = rig.shell('echo new; sleep 60', { id: 'in-use', signal: abort.signal });
    expect(await rig.processes.pruneSpools(-1)).toBeGreaterThan(0);
    expect((await rig.processes.readSpool(id, 'stdout', 0, 100)).text).toBe('');
    abort.abort();
    const { out } = await slow;
    expect((await rig.processes.readSpool('in-use', 'stdout', 0, 100)).text).toBe(out);
  });
});

describe('What nobody may run', () => {
  let rig: Rig;
  beforeAll(async () => {
    const [containment] = containments;
    if (!containment) throw new Error('no containment');
    rig = await createRig(containment);
  });
  afterAll(() => rig.close());

  test.each([
    [{ env: { '1X': 'a' } }, '"1X"'],
    [{ env: { 'A=B': 'a' } }, '"A=B"'],
    [{ env: { 'A\nB': 'a' } }, 'valid name'],
    [{ env: { A: 'a\0b' } }, 'NUL'],
    [{ env: { LD_PRELOAD: '/x.so' } }, 'loader'],
    [{ env: { GLIBC_TUNABLES: 'x' } }, 'loader'],
    [{ env: { VAREON_STEP: 'other' } }, 'platform'],
    [{ id: '../up' }, 'folder'],
    [{ argv: ['/bin/sh', '-c', 'a\0b'] as const }, 'NUL'],
    [{ files: [{ name: '../x', text: '' }] }, 'file name'],
  ])('%j is refused with its reason', async (more, reason) => {
    const { end } = await rig.run(['true'], more as Parameters<Rig['run']>[1]); // a table of partial specs
    expect(end).toEqual({ kind: 'not_started', cause: 'refused', reason: expect.stringContaining(reason) });
  });
});
