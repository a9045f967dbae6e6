import type { Writable } from 'node:stream';

/** Runs commands of users on this machine, as another user, and leaves nothing of them behind. */
export interface ProcessSpec {
  /** A safe folder name; a process of one id runs once in the life of the data folder. */
  id: string;
  /** The program (looked up in PATH as the user who runs it) and its arguments. No shell is added. */
  argv: readonly [string, ...string[]];
  /** The caller's own variables; names that checkEnvironment() refuses end in `not_started`. */
  env: Readonly<Record<string, string>>;
  /** Variables that the platform sets on top: trusted names and values. */
  platformEnv: Readonly<Record<string, string>>;
  /** Written to the working folder before the start; plain names only. */
  files?: readonly { name: string; text: string }[];
  stdin?: string;
  /** Its standard input stays open, and whoever runs it writes to it (`onTalk`). */
  talks?: true;
  /** A program of the host's own, as the host's own user and outside of the containment: never code of users. */
  asHost?: true;
  timeoutMs: number;
  /** From SIGTERM to SIGKILL. */
  killGraceMs: number;
  /** Of both streams together, as the process wrote them. */
  outputLimitBytes: number;
  /** Makes what a stream's text goes through before anything keeps it or sends it on. */
  filter?: () => { push(text: string): string; end(): string };
}

export type NotStartedCause = 'missing_program' | 'refused' | 'ran_before' | 'failed';

export type ProcessEnd =
  | { kind: 'exited'; code: number }
  | { kind: 'signalled'; signal: NodeJS.Signals }
  | { kind: 'timed_out' }
  | { kind: 'output_limit'; limitBytes: number }
  /** The output could not be kept (a full disk), so the process was ended. */
  | { kind: 'output_lost'; reason: string }
  | { kind: 'cancelled' }
  | { kind: 'not_started'; cause: NotStartedCause; reason: string };

export type OutputStream = 'stdout' | 'stderr';

/** Whole characters of a stream at their byte offset; see `Processes` for what a stream is. */
export interface OutputPiece {
  stream: OutputStream;
  offset: number;
  bytes: number;
  text: string;
}

export interface ProcessResult {
  end: ProcessEnd;
  /** Lengths of the spooled streams in bytes. */
  stdoutBytes: number;
  stderrBytes: number;
  startedAt: Date;
  endedAt: Date;
}

export interface RunOptions {
  /** Ends the whole tree. */
  signal: AbortSignal;
  /** Called once the piece can be read from the spool; at most every 20 ms a stream, 32 KiB a piece. */
  onOutput: (piece: OutputPiece) => void;
  onStarted?: (pid: number) => void;
  /** Of a process that talks, once it runs; its owner ends it. It says nothing of a process that has ended. */
  onTalk?: (stdin: Writable) => void;
}

/**
 * A stream is the UTF-8 text of what the process wrote: bytes that are not UTF-8, and NUL, which PostgreSQL's
 * text and jsonb refuse, are U+FFFD in it. Offsets and lengths count the bytes of that text.
 */
export interface Processes {
  /** How a tree is held together: a PID namespace, or a process group and marks. */
  readonly containment: string;
  /**
   * Runs one process to its end. When it resolves, no process of its tree is left and its folder is gone.
   * @throws never for what a command does; only when the tree could not be ended.
   */
  run(spec: ProcessSpec, options: RunOptions): Promise<ProcessResult>;
  /** The whole characters of `from`..`to` (bytes, to is exclusive); empty where nothing was kept. */
  readSpool(id: string, stream: OutputStream, from: number, to: number): Promise<OutputPiece>;
  /** How a process of an earlier time ended, in an earlier life of the host too; undefined when that was not seen. */
  outcome(id: string): Promise<ProcessResult | undefined>;
  /** Drops the spools of processes that wrote last more than so long ago. @returns how many. */
  pruneSpools(olderThanMs: number): Promise<number>;
  /** To be called at the start of a host, before run(): ends what its earlier life left running. @returns how many. */
  sweep(): Promise<number>;
  /** Removes the working folders. Abort what runs, and await it, before. */
  close(): Promise<void>;
}
