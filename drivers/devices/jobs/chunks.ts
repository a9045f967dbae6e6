import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import {
  type DeviceJobEnd,
  type DeviceJobProgress,
  noProgress,
} from '../../../domain/myntrix/device-jobs.ts';
import type { DeviceProtocol, ProtocolName } from '../protocols/port.ts';
import type { JobContext } from './port.ts';

const CHUNK_MS = 15_000;
/** A chunk whose answer did not come is asked for again that often: the device knows what it has. */
const TRIES = 5;

const spoken: readonly ProtocolName[] = ['json-lines', 'mqtt'];

/**
 * Sends any file in acknowledged chunks, as JSON commands of the device's protocol (docs/device-jobs.md):
 * `{"upload": {"id", "name", "size", "sha256"}}`, `{"chunk": {"id", "offset", "data", "crc32"}}` with base64, and
 * `{"finish": {"id", "sha256"}}`. Each answer has `ok`, and may have `offset`: how many bytes the device has, from where
 * it goes on, also when it did not take the chunk. A chunk that comes twice is the same bytes at the same place.
 */
export async function sendFile(
  context: JobContext,
  protocol: DeviceProtocol,
  { name, chunkBytes }: { name: string; chunkBytes: number },
): Promise<DeviceJobEnd> {
  let at: DeviceJobProgress = noProgress;
  const { id, file } = context.order;
  const failed = (reason: string): DeviceJobEnd => ({ kind: 'failed', progress: at, reason });
  if (!spoken.includes(protocol.name))
    return failed(`a device that speaks ${protocol.name} takes no files: ${spoken.join(' and ')} do`);
  const ask = async (
    command: object,
  ): Promise<{ offset: number | undefined; problem: string | undefined }> => {
    let problem = '';
    for (let tries = 1; tries <= TRIES; tries++) {
      const { state, lines, reason } = await protocol.command(JSON.stringify(command), {
        timeoutMs: CHUNK_MS,
      });
      if (state === 'acknowledged') return { offset: offsetIn(lines.at(-1)), problem: undefined };
      problem = `${state}: ${reason ?? 'no reason'}`;
      if (state === 'failed') return { offset: offsetIn(lines.at(-1)), problem };
    }
    return { offset: undefined, problem };
  };
  const begun = await ask({ upload: { id, name, size: file.sizeBytes, sha256: file.sha256 } });
  if (begun.problem !== undefined) return failed(`the device does not take ${name}: ${begun.problem}`);
  let offset = Math.min(begun.offset ?? 0, file.sizeBytes);
  const handle = await open(context.file, 'r');
  try {
    const buffer = Buffer.alloc(chunkBytes);
    for (let standing = 0; offset < file.sizeBytes; ) {
      if (context.wanted() === 'cancel') {
        await ask({ abort: { id } });
        return { kind: 'cancelled', progress: at };
      }
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, offset);
      const piece = buffer.subarray(0, bytesRead);
      const answer = await ask({
        chunk: { id, offset, data: piece.toString('base64'), crc32: crc32(piece) },
      });
      const isRefused = answer.problem !== undefined;
      // It says where it is: a damaged chunk is sent again.
      if (isRefused && answer.offset === undefined) return failed(`at byte ${offset}: ${answer.problem}`);
      const has = Math.min(answer.offset ?? offset + bytesRead, file.sizeBytes);
      standing = has > offset ? 0 : standing + 1;
      if (standing > TRIES)
        return failed(`the device stays at byte ${offset}${isRefused ? `: ${answer.problem}` : ''}`);
      offset = has;
      at = { ...at, acknowledgedBytes: offset };
      context.progress(at);
    }
  } finally {
    await handle.close();
  }
  const finished = await ask({ finish: { id, sha256: file.sha256 } });
  if (finished.problem !== undefined) return failed(`the device does not keep ${name}: ${finished.problem}`);
  return { kind: 'completed', progress: at, result: { name, bytes: file.sizeBytes } };
}

function offsetIn(line: string | undefined): number | undefined {
  try {
    const { offset } = JSON.parse(line ?? '') as { offset?: unknown }; // looked at before it is used
    return typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= 0 ? offset : undefined;
  } catch {
    return undefined; // the protocol took it for an answer all the same
  }
}
