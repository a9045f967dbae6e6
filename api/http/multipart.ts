import type { Readable } from 'node:stream';
import { Busboy, type BusboyFileStream } from '@fastify/busboy';
import { AppError } from '../../domain/errors.ts';
import { takeTime } from './body-time.ts';

/** Fields, boundaries and headers around the file. */
const AROUND_BYTES = 64 * 1024;
const FIELDS = 10;
/** A body of which nothing comes for so long is given up. */
const IDLE_MS = 30_000;
const LOOK_EVERY_MS = 5_000;
/** And all of it has this long. */
const TOTAL_MS = 6 * 3_600_000;

export interface MultipartRequest {
  stream: Readable;
  headers: Readonly<Record<string, string>>;
}

export interface MultipartFile {
  name: string;
  content: AsyncIterable<Buffer>;
}

/**
 * Reads a form (RFC 7578) with one file in its field `file`, which goes to `take` while it comes. When it cannot be
 * read to its end, the content throws what this throws, and `take` is awaited.
 * @throws AppError `unsupported_media_type`, `too_large`, `request_timeout`, `bad_request`; `invalid` without a file or
 *   with other files; what `take` throws
 */
export async function readMultipart<T>(
  request: MultipartRequest,
  limitBytes: number,
  take: (file: MultipartFile) => Promise<T>,
): Promise<{ fields: Record<string, string>; taken: T }> {
  const { stream, headers } = request;
  const type = headers['content-type'] ?? '';
  if (!/^multipart\/form-data\s*;/i.test(type))
    throw new AppError(
      'unsupported_media_type',
      `The body is ${type || 'nothing'}; send multipart/form-data with the field "file".`,
    );
  const tooLarge = () => new AppError('too_large', `The file is larger than ${limitBytes} bytes.`);
  if (Number(headers['content-length'] ?? 0) > limitBytes + AROUND_BYTES) throw tooLarge();
  takeTime(stream);

  const fields: Record<string, string> = {};
  let taking: Promise<T> | undefined;
  let content: BusboyFileStream | undefined;
  const parser = open(type, headers, limitBytes);
  const over = Promise.withResolvers<void>();
  const fail = (error: unknown): void => over.reject(error);
  parser.on('field', (name, value, _nameTruncated, isCut) => {
    if (isCut || Object.hasOwn(fields, name) || name === '__proto__')
      return fail(invalid(name, isCut ? 'is longer than 8 KiB' : 'came twice'));
    fields[name] = value;
  });
  parser.on('file', (name, file, fileName) => {
    content = file;
    file.on('error', () => {}); // whoever reads it is told
    if (name !== 'file') return fail(invalid(name, 'is no file of this form: "file" is'));
    file.once('limit', () => fail(tooLarge()));
    taking = take({ name: fileName ?? '', content: file });
    taking.catch(fail);
  });
  parser.on('filesLimit', () => fail(invalid('file', 'is one file; there are more')));
  for (const limit of ['fieldsLimit', 'partsLimit'] as const)
    parser.on(limit, () => fail(invalid('', `has more than ${FIELDS} fields`)));
  parser.once('finish', () => over.resolve());
  parser.once('error', (error: unknown) => fail(malformed(error)));
  const gone = () => fail(malformed(new Error('it ended before its end')));
  stream.once('close', gone).once('error', gone);
  if (stream.destroyed) gone(); // the client went before anybody listened
  stream.once('end', () => stream.off('close', gone));
  const watch = watchProgress(stream, fail);
  stream.pipe(parser);
  try {
    await over.promise;
    if (!taking) throw invalid('file', 'is missing');
    return { fields, taken: await taking };
  } catch (error) {
    stream.unpipe(parser);
    content?.destroy(error instanceof Error ? error : new Error(String(error)));
    await taking?.catch(() => {}); // what it threw is this error, or came of it
    throw error;
  } finally {
    watch.stop();
  }
}

function open(type: string, headers: MultipartRequest['headers'], fileSize: number) {
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': type },
      limits: {
        ...{ fileSize, files: 1, fields: FIELDS, parts: FIELDS + 1 },
        ...{ fieldSize: 8_192, headerPairs: 20, headerSize: 8_192 },
      },
    });
  } catch (error) {
    throw malformed(error);
  }
}

/** Ends a body that stands still. */
function watchProgress(stream: Readable, fail: (error: AppError) => void): { stop(): void } {
  const beganAt = performance.now();
  let movedAt = beganAt;
  const moved = () => {
    movedAt = performance.now();
  };
  stream.on('data', moved);
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - movedAt > IDLE_MS)
      fail(new AppError('request_timeout', `Nothing more of the body came for ${IDLE_MS / 1_000} s.`));
    else if (now - beganAt > TOTAL_MS)
      fail(new AppError('request_timeout', 'The body took longer than 6 hours.'));
  }, LOOK_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      stream.off('data', moved);
    },
  };
}

const invalid = (field: string, message: string): AppError =>
  new AppError('invalid', `The form cannot be taken: ${field === '' ? 'it' : `"${field}"`} ${message}.`, {
    errors: [{ path: field === '' ? '' : `/${field}`, message }],
  });

const malformed = (cause: unknown): AppError =>
  new AppError('bad_request', 'The form could not be read to its end.', {}, { cause });
