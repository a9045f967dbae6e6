import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

export interface LogFile {
  path: string;
  write(chunk: Buffer | string): void;
  close(): void;
}

const TEN_MIB = 10 * 1024 * 1024;

/** A log that never takes more than twice `maxBytes`: when it is full it becomes `<path>.1`, the one old file. */
export function openLogFile(path: string, maxBytes = TEN_MIB): LogFile {
  let descriptor = openSync(path, 'a', 0o600);
  let size = fstatSync(descriptor).size;
  return {
    path,
    write(chunk) {
      const bytes = Buffer.from(chunk as string); // a Buffer is taken as it is
      try {
        if (size > 0 && size + bytes.length > maxBytes) {
          closeSync(descriptor);
          renameSync(path, `${path}.1`);
          descriptor = openSync(path, 'a', 0o600);
          size = 0;
        }
        size += writeSync(descriptor, bytes);
      } catch (error) {
        // A full disk costs log lines, not the platform.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    close: () => closeSync(descriptor),
  };
}
