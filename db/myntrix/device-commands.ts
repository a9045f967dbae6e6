import { defineEntity, p } from '@mikro-orm/postgresql';
import type {
  CommandState,
  DeviceAnswer,
  DeviceCommand,
  DeviceRequest,
} from '../../domain/myntrix/device-commands.ts';
import type { Database, Sql } from '../orm.ts';
import { iso, type Page, pageClause, prepared, rows } from '../sql.ts';
import { deleted, PIECE_ROWS, type Piece } from '../system/retention.ts';

export const DeviceCommandEntity = defineEntity({
  name: 'DeviceCommand',
  tableName: 'device_commands',
  properties: {
    id: p.uuid().primary(),
    device_id: p.uuid(),
    kind: p.text().$type<DeviceRequest['kind']>(),
    command: p.text(),
    state: p.text().$type<CommandState>(),
    response: p.text().nullable(),
    reason: p.text().nullable(),
    /** Nothing more is to be known of it. */
    is_settled: p.boolean(),
    requested_by: p.uuid().nullable(),
    /** The run whose step gave it. */
    run_id: p.uuid().nullable(),
    /** Of the attempt of a step that gave it: a repeat finds it. */
    origin: p.uuid().nullable().unique(),
    /** Of the device's order under which it was given. */
    epoch: p.bigint('number'),
    created_at: p.datetime(3),
    sent_at: p.datetime(3).nullable(),
    answered_at: p.datetime(3).nullable(),
  },
});

const columns = `c.id, c.device_id as "deviceId", c.kind, c.command, c.response, c.state, c.reason,
  ${iso('c.created_at', '"createdAt"')}, ${iso('c.sent_at', '"sentAt"')}, ${iso('c.answered_at', '"answeredAt"')}`;

export interface NewCommand {
  id: string;
  deviceId: string;
  kind: DeviceRequest['kind'];
  command: string;
  requestedBy: string | null;
  runId: string | null;
  /** What gives it once, however often it is repeated. */
  origin: string | null;
}

export type DeviceCommandStore = ReturnType<typeof createDeviceCommandStore>;

/** What was given to devices: written before it is sent, as `unknown`. */
export function createDeviceCommandStore({ em }: Pick<Database, 'em'>) {
  return {
    /** @returns whether it is new: one that was written before may have been sent, and is not sent again */
    async begin({ id, deviceId, kind, command, requestedBy, runId, origin }: NewCommand): Promise<boolean> {
      const made = await prepared<{ id: string }>(
        em,
        `insert into device_commands (id, device_id, kind, command, state, is_settled, requested_by, run_id, origin,
           epoch, created_at)
         select ?::uuid, d.id, ?::text, ?::text, 'unknown', false, ?::uuid, ?::uuid, ?::uuid, d.epoch, now()
         from devices d where d.id = ?::uuid on conflict do nothing returning id`,
        [id, kind, command, requestedBy, runId, origin, deviceId],
      );
      return made.length > 0;
    },

    /** What is known of it now; an answer that says more than what is there replaces it, and nothing less does. */
    async settle(
      answer: Omit<DeviceAnswer, 'isAgain' | 'kind' | 'isSent'>,
    ): Promise<DeviceCommand | undefined> {
      const [settled] = await prepared<DeviceCommand>(
        em,
        `with changed as (
           update device_commands set state = ?::text, response = ?::text, reason = ?::text, is_settled = true,
             sent_at = coalesce(?::timestamptz, sent_at), answered_at = ?::timestamptz
           where id = ?::uuid and device_id = ?::uuid and state = 'unknown' and answered_at is null
           returning *)
         select ${columns} from changed c`,
        [
          answer.state,
          answer.response,
          answer.reason,
          answer.sentAt,
          answer.answeredAt,
          answer.id,
          answer.deviceId,
        ],
      );
      return settled;
    },

    /** An emergency stop, which went before anything was written. */
    async add(
      stop: Omit<DeviceCommand, 'createdAt' | 'kind' | 'response'> & { requestedBy: string },
    ): Promise<void> {
      await rows(
        em,
        `insert into device_commands (id, device_id, kind, command, state, reason, is_settled, requested_by, epoch,
           created_at, sent_at, answered_at)
         select ?::uuid, d.id, 'emergency_stop', ?, ?, ?, true, ?::uuid, d.epoch, now(), ?::timestamptz, ?::timestamptz
         from devices d where d.id = ?::uuid on conflict (id) do nothing`,
        [
          stop.id,
          stop.command,
          stop.state,
          stop.reason,
          stop.requestedBy,
          stop.sentAt,
          stop.answeredAt,
          stop.deviceId,
        ],
      );
    },

    async get(deviceId: string, id: string): Promise<DeviceCommand | undefined> {
      const [found] = await rows<DeviceCommand>(
        em,
        `select ${columns} from device_commands c where c.device_id = ? and c.id = ?`,
        [deviceId, id],
      );
      return found;
    },

    async ofOrigin(origin: string): Promise<DeviceCommand | undefined> {
      const [found] = await rows<DeviceCommand>(
        em,
        `select ${columns} from device_commands c where c.origin = ?`,
        [origin],
      );
      return found;
    },

    /** Newest first. */
    async list(deviceId: string, filter: Page): Promise<DeviceCommand[]> {
      const page = pageClause(filter, 'c.id');
      return rows<DeviceCommand>(
        em,
        `select ${columns} from device_commands c where c.device_id = ? ${page.where} ${page.tail}`,
        [deviceId, ...page.params],
      );
    },
  };
}

/** The oldest of them. */
export const pruneDeviceCommands = (tx: Sql, days: number): Promise<Piece> =>
  deleted(
    tx,
    `delete from device_commands where id in (
       select id from device_commands where created_at < now() - make_interval(days => ?)
       order by created_at limit ${PIECE_ROWS})`,
    [days],
  );
