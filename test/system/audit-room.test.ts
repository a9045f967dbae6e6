import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { enterWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await enterWorld('sql');
});
afterAll(() => world.close());

describe('Somebody without a login', () => {
  test('cannot fill the audit log: it has the first refusals of an address, and short paths', async () => {
    const mark = randomBytes(6).toString('hex');
    const path = `/api/neosyntis/workflows/${mark}${'x'.repeat(8_000)}/trigger`;
    const refused = () => world.api('POST', path, { from: '127.0.9.1' });
    const beganAt = performance.now();
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(Array.from({ length: 20 }, refused));
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(401));
    }
    const lines = await world.sql<{ resource: string }>(
      "select resource from audit_log where ip like '%127.0.9.1' and resource like ?",
      [`%${mark}%`],
    );
    expect(lines.length).toBeGreaterThan(50);
    // The worth of each minute that began meanwhile.
    const minutes = 2 + Math.floor((performance.now() - beganAt) / 60_000);
    expect(lines.length).toBeLessThanOrEqual(minutes * 120);
    for (const { resource } of lines) expect(resource).toHaveLength(500);
  });

  test('keeps no other address out of it', async () => {
    const mark = randomBytes(6).toString('hex');
    await world.api('POST', `/api/neosyntis/workflows/${mark}/trigger`, { from: '127.0.9.2' });
    expect(await world.sql('select 1 from audit_log where resource like ?', [`%${mark}%`])).toHaveLength(1);
  });
});
