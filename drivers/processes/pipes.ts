import { execFile } from 'node:child_process';
import { closeSync, constants, open as openCallback } from 'node:fs';
import { chown, open, unlink, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import type { ProcessSpec } from './port.ts';
import type { RunAs } from './run-as.ts';

const execute = promisify(execFile);
/** A bare descriptor: the socket made of it is its only owner. */
const openDescriptor = promisify(openCallback) as (path: string, flags: number) => Promise<number>; // its last overload
const WRITER = constants.O_WRONLY | constants.O_NONBLOCK;
const READER = constants.O_RDONLY | constants.O_NONBLOCK;

/** A process's standard streams: our ends of its output, and the descriptors for its spawn. */
export interface Pipes {
  stdout: Readable;
  stderr: Readable;
  /** Our end of the input of a process that talks. */
  stdin?: Writable;
  stdio: [number, number, number];
  /** Closes our copies of the process's ends; without it the output never ends. */
  closeTheirs(): Promise<void>;
}

/**
 * Named pipes, unlinked at once, and a file for standard input. Node's own `pipe` gives a process sockets, which
 * cannot be opened again: `> /dev/stdout`, `tee /dev/stderr` and `cat /dev/stdin` would fail.
 * @param folder of the host alone, where the names live for a moment.
 */
export async function createPipes(
  folder: string,
  id: string,
  { stdin, talks }: Pick<ProcessSpec, 'stdin' | 'talks'>,
  user: RunAs | undefined,
) {
  const paths = ['stdin', 'stdout', 'stderr'].map((name) => join(folder, `${id}.${name}`));
  const [input = '', ...outputs] = paths;
  await execute('mkfifo', ['-m', '600', '--', ...(talks ? paths : outputs)]);
  if (stdin !== undefined && !talks) await writeFile(input, stdin, { mode: 0o600, flag: 'wx' });
  const made = stdin === undefined && !talks ? outputs : paths;
  if (user) await Promise.all(made.map((path) => chown(path, user.uid, user.gid)));
  // A reader opens without waiting for a writer; then the writer finds it.
  const readers = await Promise.all(outputs.map((path) => openDescriptor(path, READER)));
  const writers = await Promise.all(outputs.map((path) => open(path, 'w')));
  // Who opens both ends waits for nobody; then the reader finds a writer, and the last writer a reader.
  const both = talks ? await openDescriptor(input, constants.O_RDWR | constants.O_NONBLOCK) : undefined;
  const given = await open(stdin === undefined && !talks ? '/dev/null' : input, 'r');
  const speaking = talks ? await openDescriptor(input, WRITER) : undefined;
  if (both !== undefined) closeSync(both);
  await Promise.all(made.map((path) => unlink(path)));
  const [stdout, stderr] = readers.map((fd) => new Socket({ fd, readable: true, writable: false }));
  const theirs = [given, ...writers];
  const [first, second, third] = theirs.map(({ fd }) => fd);
  if (!stdout || !stderr || first === undefined || second === undefined || third === undefined)
    throw new Error('three standard streams are made of three descriptors');
  const pipes: Pipes = {
    stdout,
    stderr,
    ...(speaking === undefined
      ? {}
      : { stdin: new Socket({ fd: speaking, readable: false, writable: true }) }),
    stdio: [first, second, third],
    closeTheirs: async () => void (await Promise.all(theirs.map((file) => file.close()))),
  };
  return pipes;
}
