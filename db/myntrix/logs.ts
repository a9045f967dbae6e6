import { defineEntity, p } from '@mikro-orm/postgresql';
import type { LogChunk, LogRange } from '../../domain/neosyntis/code.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database } from '../orm.ts';
import { json, rows } from '../sql.ts';

export const JobLogEntity = defineEntity({
  name: 'JobLog',
  tableName: 'job_logs',
  properties: {
    job_id: p.uuid().primary(),
    seq: p.bigint('number').primary().autoincrement(false),
    start_byte: p.bigint('number'),
    path: p.text(),
    iteration: p.array().$type<number[]>().columnType('integer[]'),
    stream: p.text(),
    stream_byte: p.bigint('number'),
    bytes: p.integer(),
    text: p.text(),
    at: p.datetime(3),
    attempt: p.integer().default(1),
  },
});

export const LogStreamEntity = defineEntity({
  name: 'LogStream',
  tableName: 'log_streams',
  properties: {
    job_id: p.uuid().primary(),
    path: p.text().primary(),
    iteration: p.array().$type<number[]>().columnType('integer[]').primary(),
    stream: p.text().primary(),
    attempt: p.integer().primary().autoincrement(false),
    host: p.text(),
    bytes: p.bigint('number').default(0),
    expected: p.bigint('number').nullable(),
    updated_at: p.datetime(3),
  },
});

export interface LogFrame {
  type: 'log';
  seq: number;
  path: string;
  iteration: number[];
  /** Of the step: one that is given to another host prints again from its beginning. */
  attempt: number;
  stream: string;
  offset: number;
  text: string;
  at: string;
}

/** A range of a step's output that the host has and the database has not. */
export type MissingLog = LogRange & { host: string };

/** Says on which host a step is placed: from now on that one may send its output, and no other. */
export async function openLogs(
  { em }: Database,
  step: { runId: string; path: string; iteration: number[]; attempt: number; host: string },
): Promise<void> {
  await em.execute(
    `insert into log_streams (job_id, path, iteration, stream, attempt, host, updated_at)
     select ?, ?, ?, stream, ?, ?, now() from (values ('stdout'), ('stderr')) as x(stream)
     on conflict (job_id, path, iteration, stream, attempt) do update set host = excluded.host, updated_at = now()`,
    [step.runId, step.path, `{${step.iteration.join(',')}}`, step.attempt, step.host],
  );
}

/**
 * Appends what a chunk adds to its stream. A chunk that was stored before adds nothing; one that begins
 * after the stream's end is not stored, and what lies between is named as missing. Output of a step that is not
 * placed on the host that sends it is no output.
 * @returns the frame to publish, or the missing range, or neither.
 */
export async function appendLog(
  { em }: Database,
  host: string,
  chunk: LogChunk,
): Promise<{ frame?: LogFrame; missing?: MissingLog }> {
  const key = [chunk.run_id, chunk.path, `{${chunk.iteration.join(',')}}`, chunk.stream, chunk.attempt ?? 1];
  return em.fork().transactional(async (tx) => {
    const [job] = await rows<{ id: string }>(tx, 'select id from jobs where id = ? for update', [
      chunk.run_id,
    ]);
    if (!job) return {};
    const [stream] = await rows<{ bytes: string }>(
      tx,
      `update log_streams set updated_at = now()
       where job_id = ? and path = ? and iteration = ? and stream = ? and attempt = ? and host = ? returning bytes`,
      [...key, host],
    );
    if (!stream) return {};
    const have = Number(stream.bytes);
    if (chunk.offset > have) return { missing: missing(chunk, host, have) };
    const fresh = Buffer.from(chunk.text).subarray(have - chunk.offset);
    if (fresh.length === 0) return {};
    const text = fresh.toString('utf8');
    await tx.execute(
      `update log_streams set bytes = bytes + ?
       where job_id = ? and path = ? and iteration = ? and stream = ? and attempt = ?`,
      [fresh.length, ...key],
    );
    const [counter] = await rows<{ seq: string; start: string }>(
      tx,
      `update jobs set seq = seq + 1, log_bytes = log_bytes + ? where id = ?
       returning seq, log_bytes - ? as start`,
      [fresh.length, chunk.run_id, fresh.length],
    );
    const frame: LogFrame = {
      type: 'log',
      seq: Number(counter?.seq),
      path: chunk.path,
      iteration: chunk.iteration,
      attempt: chunk.attempt ?? 1,
      stream: chunk.stream,
      offset: have,
      text,
      at: chunk.at,
    };
    await tx.execute(
      `insert into job_logs (job_id, seq, start_byte, path, iteration, stream, stream_byte, bytes, text, at, attempt)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        chunk.run_id,
        frame.seq,
        counter?.start,
        key[1],
        key[2],
        chunk.stream,
        have,
        fresh.length,
        text,
        chunk.at,
        frame.attempt,
      ],
    );
    return { frame };
  });
}

const missing = (chunk: LogChunk, host: string, from: number): MissingLog => ({
  runId: chunk.run_id,
  path: chunk.path,
  iteration: chunk.iteration,
  attempt: chunk.attempt ?? 1,
  stream: chunk.stream,
  host,
  from,
});

/** Says how long a step's streams are, once it ended. */
export async function expectLogs(
  { em }: Database,
  step: {
    runId: string;
    path: string;
    iteration: number[];
    host: string;
    stdoutBytes: number;
    stderrBytes: number;
    attempt?: number;
  },
): Promise<void> {
  const streams: Json = [
    { stream: 'stdout', expected: step.stdoutBytes },
    { stream: 'stderr', expected: step.stderrBytes },
  ];
  await em.execute(
    `insert into log_streams (job_id, path, iteration, stream, attempt, host, expected, updated_at)
     select ?, ?, ?, stream, ?, ?, expected, now() from jsonb_to_recordset(?::jsonb) as x(stream text, expected bigint)
     on conflict (job_id, path, iteration, stream, attempt) do update set expected = excluded.expected, updated_at = now()`,
    [step.runId, step.path, `{${step.iteration.join(',')}}`, step.attempt ?? 1, step.host, json(streams)],
  );
}

/** Ranges that hosts should send again; of one run, or of all those of the last day. */
export async function missingLogs({ em }: Database, runId?: string): Promise<MissingLog[]> {
  const found = await rows<Omit<MissingLog, 'from'> & { from: string }>(
    em,
    `select job_id as "runId", path, iteration, attempt, stream, host, bytes as from from log_streams
     where expected > bytes and updated_at > now() - interval '1 day' and host in (select name from hosts where online)
       ${runId ? 'and job_id = ?' : ''} order by updated_at desc limit 500`,
    runId ? [runId] : [],
  );
  return found.map((row) => ({ ...row, from: Number(row.from) }));
}
