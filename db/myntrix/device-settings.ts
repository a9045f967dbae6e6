import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import {
  type DeviceSettings,
  differenceOf,
  type KnownSettings,
  type NewDeviceSettings,
  type SettingsOutcome,
  type SettingValues,
  type SettingWay,
  type WantedSettings,
} from '../../domain/myntrix/device-settings.ts';
import { unlessViolated } from '../auth/constraints.ts';
import type { Database, Sql } from '../orm.ts';
import { iso, json, type Page, pageClause, rows } from '../sql.ts';

export const DeviceSettingsEntity = defineEntity({
  name: 'DeviceSettings',
  tableName: 'device_settings',
  properties: {
    id: p.uuid().primary(),
    device_id: p.uuid(),
    /** How they are written and read, where the protocol has no own way. */
    settings: p.json().$type<Record<string, SettingWay>>().columnType('json'),
    desired: p.json().$type<SettingValues>().columnType('json'),
    /** What the device said last, and why what is wanted and differs does. */
    reported: p.json().$type<SettingValues>(),
    problems: p.json().$type<Record<string, string>>(),
    reported_at: p.datetime(3).nullable(),
    created_by: p.uuid().nullable(),
    created_at: p.datetime(3),
    updated_at: p.datetime(3),
  },
});

type Row = Omit<DeviceSettings, 'difference'> & { problems: Record<string, string> };

const columns = `s.id, s.device_id, s.settings, s.desired, s.reported, s.problems, ${iso('s.reported_at')},
  ${iso('s.created_at')}, ${iso('s.updated_at')}`;
const from = 'from device_settings s join devices d on d.id = s.device_id and d.removed_at is null';

const shown = ({ problems, ...row }: Row): DeviceSettings => ({
  ...row,
  difference: differenceOf(row.desired, row.reported, problems),
});

const TAKEN = { code: 'conflict', message: 'This device has settings already: change those.' } as const;

export type DeviceSettingsRepository = ReturnType<typeof createDeviceSettingsRepository>;

/** One set of settings a device; like devices, they belong to the installation. */
export function createDeviceSettingsRepository({ em }: Pick<Database, 'em'>) {
  async function get(id: string, sql: Sql = em): Promise<DeviceSettings> {
    const [row] = await rows<Row>(sql, `select ${columns} ${from} where s.id = ?`, [id]);
    if (!row) throw new AppError('not_found', `There are no device settings ${id}.`);
    return shown(row);
  }

  return {
    get: (id: string): Promise<DeviceSettings> => get(id),

    async list(filter: Page & { device_id?: string }): Promise<DeviceSettings[]> {
      const page = pageClause(filter, 's.id');
      const one = filter.device_id === undefined ? [] : [filter.device_id];
      const found = await rows<Row>(
        em,
        `select ${columns} ${from} where true ${one.length > 0 ? 'and s.device_id = ?' : ''} ${page.where} ${page.tail}`,
        [...one, ...page.params],
      );
      return found.map(shown);
    },

    /** @throws AppError `not_found` when there is no such device; `conflict` when it has settings already */
    create: (
      user: Pick<Principal, 'userId'>,
      { device_id, settings = {}, desired = {} }: NewDeviceSettings,
    ): Promise<DeviceSettings> =>
      unlessViolated('unique', TAKEN, async () => {
        const id = uuidv7();
        const made = await rows<{ id: string }>(
          em,
          `insert into device_settings (id, device_id, settings, desired, created_by, created_at, updated_at)
           select ?, d.id, ?::json, ?::json, ?, now(), now() from devices d where d.id = ? and d.removed_at is null
           returning id`,
          [id, json(settings), json(desired), user.userId, device_id],
        );
        if (made.length === 0) throw new AppError('not_found', `There is no device ${device_id}.`);
        return get(id);
      }),

    /** @throws AppError `not_found`, and what `change` does */
    update: (
      id: string,
      change: (current: DeviceSettings) => Pick<DeviceSettings, 'settings' | 'desired'>,
    ): Promise<DeviceSettings> =>
      em.fork().transactional(async (tx) => {
        await rows(tx, 'select id from device_settings where id = ? for update', [id]);
        const { settings, desired } = change(await get(id, tx));
        await tx.execute(
          'update device_settings set settings = ?::json, desired = ?::json, updated_at = now() where id = ?',
          [json(settings), json(desired), id],
        );
        return get(id, tx);
      }),

    /** @throws AppError `not_found` */
    async remove(id: string): Promise<void> {
      await get(id);
      await em.execute('delete from device_settings where id = ?', [id]);
    },

    /** What the host that is to hold a device brings it to; nothing for a device without settings, or of another host. */
    async wanted(host: string, deviceId: string): Promise<WantedSettings | undefined> {
      const [found] = await rows<WantedSettings>(
        em,
        `select s.settings, s.desired ${from} where s.device_id = ? and d.host = ? and d.desired = 'connected'`,
        [deviceId, host],
      );
      return found;
    },

    /**
     * Notes what a device said of its settings to a command that somebody gave, and whose answer is not recorded yet.
     * @param answer said late, it changes nothing that was asked after it
     * @param read what that makes of what is known; nothing when it said nothing of settings
     */
    async hear(
      answer: { id: string; deviceId: string; answeredAt: string; isLate: boolean },
      read: (known: KnownSettings, command: string) => SettingsOutcome | undefined,
    ): Promise<void> {
      const { id, deviceId, answeredAt, isLate } = answer;
      const outcome = async (sql: Sql, lock = ''): Promise<SettingsOutcome | undefined> => {
        const [known] = await rows<KnownSettings & { command: string }>(
          sql,
          `select s.settings, s.desired, s.reported, s.problems, d.protocol, c.command
           ${from} join device_commands c on c.device_id = d.id
           where s.device_id = ? and c.id = ? and c.answered_at is null and d.protocol is not null
             and not (? and coalesce(s.reported_at > ?::timestamptz, false)) ${lock}`,
          [deviceId, id, isLate, answeredAt],
        );
        return known && read(known, known.command);
      };
      // Most devices have no settings, and most answers say nothing of them.
      if (!(await outcome(em))) return;
      await em.fork().transactional(async (tx) => {
        const heard = await outcome(tx, 'for update of s');
        if (heard)
          await tx.execute(
            'update device_settings set reported = ?::jsonb, problems = ?::jsonb, reported_at = now() where device_id = ?',
            [json(heard.reported), json(heard.problems), deviceId],
          );
      });
    },

    /** Notes what a device said. @param host that holds it; undefined when the platform asked itself */
    async report(deviceId: string, { reported, problems }: SettingsOutcome, host?: string): Promise<void> {
      await em.execute(
        `update device_settings s set reported = ?::jsonb, problems = ?::jsonb, reported_at = now()
         from devices d where d.id = s.device_id and s.device_id = ? and (d.host = ? or ?::text is null)`,
        [json(reported), json(problems), deviceId, host ?? null, host ?? null],
      );
    },
  };
}
