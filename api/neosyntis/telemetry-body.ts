import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import getRawBody from 'raw-body';
import { AppError } from '../../domain/errors.ts';
import { readLine } from '../../domain/neosyntis/line-protocol.ts';
import type { Precision } from '../../domain/neosyntis/telemetry.ts';
import { BATCH_BYTES, BATCH_ROWS } from '../../domain/neosyntis/telemetry-limits.ts';
import { readingOf, type Window, windowAt } from '../../domain/neosyntis/telemetry-rows.ts';
import { type Batch, createBatch, endsTurn } from './telemetry-batch.ts';

export const mediaTypes = {
  json: 'application/json',
  lines: 'application/x-ndjson',
  influx: 'text/plain',
} as const;

export interface BatchRequest {
  stream: Readable;
  contentType: string;
  precision: Precision;
  nowMs: number;
}

/**
 * Reads a batch; what is wrong with a row is in the batch.
 * @throws AppError `too_large`, `unsupported_media_type`, `bad_request` for what is no batch at all, `invalid` for an
 * object in the place of a list
 */
export async function readBatch({ stream, contentType, precision, nowMs }: BatchRequest): Promise<Batch> {
  const type = contentType.split(';')[0]?.trim().toLowerCase() || mediaTypes.json;
  const text = await textOf(stream);
  const window = windowAt(nowMs);
  const batch = createBatch();
  if (type === mediaTypes.json) await readArray(batch, parsed(text), window);
  else if (type === mediaTypes.lines)
    await readLines(text, (line, row) => {
      const value = parsedLine(line);
      take(batch, row, 'problem' in value ? value.problem : readingOf(value.json, window));
    });
  else if (type === mediaTypes.influx)
    await readLines(text, (line, row) => {
      if (line.startsWith('#')) return;
      const { readings, problems } = readLine(line, precision, nowMs * 1_000, window);
      for (const reading of readings) batch.add(row, reading);
      for (const problem of problems) batch.refuse(row, problem);
    });
  else
    throw new AppError(
      'unsupported_media_type',
      `The body is ${type}; send ${Object.values(mediaTypes).join(' or ')} (line protocol).`,
    );
  return batch;
}

async function textOf(stream: Readable): Promise<string> {
  try {
    return await getRawBody(stream, { limit: BATCH_BYTES, encoding: 'utf8' });
  } catch (error) {
    const { type } = error as { type?: string }; // raw-body's errors carry a type
    if (type === 'entity.too.large')
      throw new AppError(
        'too_large',
        `A batch has at most ${BATCH_BYTES} bytes: send several.`,
        {},
        { cause: error },
      );
    throw new AppError('bad_request', 'The body could not be read to its end.', {}, { cause: error });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AppError(
      'bad_request',
      `The body is not JSON: ${(error as Error).message}`,
      {},
      { cause: error },
    );
  }
}

async function readArray(batch: Batch, value: unknown, window: Window): Promise<void> {
  if (!Array.isArray(value))
    throw new AppError('invalid', 'The body is a JSON array of readings.', {
      errors: [{ path: '', message: 'is not an array' }],
    });
  limitRows(value.length);
  for (const [row, item] of value.entries()) {
    take(batch, row, readingOf(item, window));
    if (endsTurn(row)) await nextTurn();
  }
}

async function readLines(text: string, read: (line: string, row: number) => void): Promise<void> {
  const lines = text.split('\n');
  limitRows(lines.at(-1) === '' ? lines.length - 1 : lines.length);
  for (const [row, line] of lines.entries()) {
    if (line.trim() !== '') read(line, row);
    if (endsTurn(row)) await nextTurn();
  }
}

function take(batch: Batch, row: number, reading: ReturnType<typeof readingOf>): void {
  if (typeof reading === 'string') batch.refuse(row, reading);
  else batch.add(row, reading);
}

function parsedLine(line: string): { json: unknown } | { problem: string } {
  try {
    return { json: JSON.parse(line) };
  } catch (error) {
    return { problem: `is not JSON: ${(error as Error).message}` };
  }
}

function limitRows(rows: number): void {
  if (rows > BATCH_ROWS)
    throw new AppError(
      'too_large',
      `A batch has at most ${BATCH_ROWS} rows, and this has ${rows}: send several.`,
    );
}
