import {
  closeSync,
  fdatasync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  type DeviceJobEnd,
  type DeviceJobProgress,
  noProgress,
} from '../../../domain/myntrix/device-jobs.ts';

/** One block of a disk: it is there as a whole or not at all. */
const BYTES = 512;
/** What a power cut may take; the end of a process takes nothing. */
const SYNC_EVERY_MS = 2_000;

/** What is known on disk of a job. */
export interface Noted {
  /** Undefined when it cannot be read: something was begun. */
  attempt: number | undefined;
  progress: DeviceJobProgress;
  end: DeviceJobEnd | undefined;
}

/** How far an attempt is, on disk beside it. */
export interface Note {
  progress(progress: DeviceJobProgress): void;
  /** Nothing is written after it. */
  end(end: DeviceJobEnd): void;
}

/** Begins the note of an attempt, in the place of those before; once it gives it, it survives a power cut. */
export function beginNote(folder: string, attempt: number, first: DeviceJobProgress): Note {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fd = openSync(join(folder, 'note'), 'w', 0o600);
  let isOpen = true;
  let isSyncing = false;
  let syncedAt = performance.now();
  const write = (at: DeviceJobProgress): void => {
    const values = [attempt, at.acknowledgedLine, at.acknowledgedLines, at.acknowledgedBytes, at.sentLines];
    writeSync(
      fd,
      values
        .join(' ')
        .padEnd(BYTES - 1)
        .concat('\n'),
      0,
      'latin1',
    );
  };
  write(first);
  fsyncSync(fd);
  return {
    progress(at) {
      if (!isOpen) return;
      write(at);
      if (isSyncing || performance.now() - syncedAt < SYNC_EVERY_MS) return;
      isSyncing = true;
      fdatasync(fd, () => {
        isSyncing = false;
        syncedAt = performance.now();
        if (!isOpen) closeSync(fd);
      });
    },
    end(end) {
      if (!isOpen) return;
      isOpen = false;
      if (!isSyncing) closeSync(fd);
      const draft = join(folder, 'end.new');
      writeFileSync(draft, JSON.stringify({ attempt, end }), { mode: 0o600, flush: true });
      renameSync(draft, join(folder, 'end'));
    },
  };
}

/** The newest attempt that was begun in a folder. */
export function readNote(folder: string): Noted | undefined {
  const text = read(join(folder, 'note'));
  if (!text) return undefined; // never begun: the first bytes are written before anything is sent
  const values = text.trim().split(' ').map(Number);
  const [attempt, acknowledgedLine, acknowledgedLines, acknowledgedBytes, sentLines] = values;
  if (
    attempt === undefined ||
    acknowledgedLine === undefined ||
    acknowledgedLines === undefined ||
    acknowledgedBytes === undefined ||
    sentLines === undefined ||
    !values.every(Number.isSafeInteger)
  )
    return { attempt: undefined, progress: noProgress, end: undefined };
  const ended = read(join(folder, 'end'));
  const last =
    ended === undefined ? undefined : (JSON.parse(ended) as { attempt: number; end: DeviceJobEnd }); // ours
  return {
    attempt,
    progress: { acknowledgedLine, acknowledgedLines, acknowledgedBytes, sentLines },
    end: last?.attempt === attempt ? last.end : undefined,
  };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
