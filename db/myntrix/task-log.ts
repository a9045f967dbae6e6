import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';

/** What one entry has at most. */
const ENTRY_LIMIT = 64 * 1024;

/** Appends to the log of a tick's job; an entry that it has already, by its key, is not written again. */
export async function logTick(sql: Sql, jobId: string, key: string, text: string): Promise<void> {
  const line = `${new Date().toISOString()} ${text.slice(0, ENTRY_LIMIT)}\n`;
  const bytes = Buffer.byteLength(line);
  await rows(
    sql,
    `with counter as (
       update jobs set seq = seq + 1, log_bytes = log_bytes + ?::int, updated_at = now()
       where id = ?::uuid and not exists (select from job_logs l where l.job_id = ?::uuid and l.path = ?)
       returning seq, log_bytes - ?::int as start
     )
     insert into job_logs (job_id, seq, start_byte, path, iteration, stream, stream_byte, bytes, text, at, attempt)
     select ?::uuid, seq, start, ?, '{}', 'log', start, ?::int, ?, now(), 1 from counter`,
    [bytes, jobId, jobId, key, bytes, jobId, key, bytes, line],
  );
}

/** The end of what a job printed. */
export async function outputOf(sql: Sql, jobId: string, bytes: number): Promise<string> {
  const [found] = await rows<{ text: string }>(
    sql,
    `select coalesce(string_agg(l.text, '' order by l.seq), '') as text from job_logs l join jobs j on j.id = l.job_id
     where j.id = ? and l.start_byte >= j.log_bytes - ?::int`,
    [jobId, bytes],
  );
  return found?.text ?? '';
}
