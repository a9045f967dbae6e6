import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Settled } from '../../domain/myntrix/agent-configuration.ts';
import { wholeCharacters } from '../processes/text.ts';
import type { AgentLog } from './port.ts';

const execute = promisify(execFile);

/** What an agent printed, in one file that only grows: it writes there by itself, whether or not a host is there. */
export interface Output {
  /** Gives back the room of what is not to be kept any more. Offsets stay as they are. */
  trim(logs: Settled['logs']): Promise<void>;
  size(): number;
  read(from: number, limitBytes: number): Promise<AgentLog>;
  /** The last bytes, from the beginning of a line. */
  tail(limitBytes: number): Promise<string>;
}

/** @param warn once, when the file system cannot give room back (no holes in files) */
export function openOutput(path: string, warn: (error: unknown) => void): Output {
  /** Before it the file has a hole. */
  let kept = 0;
  let trimming: Promise<void> | undefined;
  let hasWarned = false;

  // Asked often, of every agent: it takes less time than to hand it to another thread.
  const size = (): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

  async function read(from: number, limitBytes: number): Promise<AgentLog> {
    const total = size();
    const offset = Math.min(Math.max(from, kept), Math.max(total, kept));
    const wanted = Math.min(total - offset, limitBytes);
    if (!(wanted > 0)) return { offset, nextOffset: offset, text: '', total };
    const file = await open(path, 'r');
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(wanted), 0, wanted, offset);
      const { skipped, bytes } = wholeCharacters(buffer.subarray(0, bytesRead));
      const end = offset + skipped + bytes.length;
      return {
        offset: offset + skipped,
        nextOffset: end,
        text: bytes.toString('utf8').replaceAll('\0', '\uFFFD'),
        total,
      };
    } finally {
      await file.close();
    }
  }

  async function punch({ maxBytes, files }: Settled['logs']): Promise<void> {
    const whole = Math.floor(size() / maxBytes);
    const until = Math.max(0, whole - files + 1) * maxBytes;
    if (until <= kept) return;
    try {
      await execute('fallocate', ['--punch-hole', '--offset', '0', '--length', `${until}`, path]);
      kept = until;
    } catch (error) {
      if (!hasWarned) warn(error);
      hasWarned = true;
    }
  }

  return {
    size,
    read,
    async trim(logs) {
      await trimming;
      trimming = punch(logs);
      await trimming;
    },
    async tail(limitBytes) {
      const { text } = await read(Math.max(0, size() - limitBytes), limitBytes);
      return text.length < limitBytes ? text : text.slice(text.indexOf('\n') + 1);
    },
  };
}
