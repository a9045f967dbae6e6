import { defineEntity, p } from '@mikro-orm/postgresql';
import type { Change } from '../../domain/neosyntis/projection.ts';
import { shown } from '../../domain/neosyntis/shown.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';

export const RunEventEntity = defineEntity({
  name: 'RunEvent',
  tableName: 'run_events',
  properties: {
    run_id: p.uuid().primary(),
    seq: p.bigint('number').primary().autoincrement(false),
    frame: p.json().$type<Frame>(),
  },
});

export interface Frame {
  type: 'step' | 'run';
  seq: number;
  [name: string]: Json;
}

/** What a change is to those who watch; its number is known once it is stored. */
export function frame(runId: string, change: Change): Omit<Frame, 'seq'> {
  if ('step' in change) {
    const { path, iteration, name, kind, status, attempt, startedAt, endedAt, error, host } = change.step;
    const { stdoutBytes, stderrBytes, correlationKeys, reused = false, approvalId, idempotent } = change.step;
    return {
      type: 'step',
      step: {
        ...{ path, iteration, name, kind, status, attempt, reused },
        ...(stdoutBytes === undefined ? {} : { stdoutBytes, stderrBytes: stderrBytes ?? 0 }),
        host: host ?? null,
        started_at: startedAt ?? null,
        ended_at: endedAt ?? null,
        error: error ?? null,
        approval_id: approvalId ?? null,
        idempotent: idempotent ?? null,
        ...(correlationKeys === undefined ? {} : { correlation_keys: correlationKeys }),
      },
    };
  }
  const { status, startedAt, endedAt, output, error } = change.run;
  return {
    type: 'run',
    run: {
      id: runId,
      status,
      started_at: startedAt ?? null,
      ended_at: endedAt ?? null,
      output: output === undefined ? null : shown(output),
      error: error ?? null,
    },
  };
}

/** Frames of a run after `after`, log chunks among them, oldest first, at most `limit`. */
export async function framesAfter(
  { em }: Database,
  runId: string,
  after: number,
  limit: number,
): Promise<Frame[]> {
  const found = await rows<{ frame: Frame }>(
    em,
    `select frame from (
       select seq, frame from run_events where run_id = ? and seq > ?
       union all
       select seq, jsonb_build_object('type', 'log', 'seq', seq, 'path', path, 'iteration', iteration, 'attempt', attempt,
         'stream', stream, 'offset', stream_byte, 'text', text,
         'at', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) as frame
       from job_logs where job_id = ? and seq > ?) f
     order by seq limit ?`,
    [runId, after, runId, after, limit],
  );
  return found.map(({ frame }) => frame);
}
