import type { Json } from '../wire.ts';
import type { LogChunkMessage } from './log-chunk.ts';
import type { RunProblem } from './runs.ts';
import type { Sealed } from './sealed.ts';

/** What a code step puts out: standard output (the default), another part, everything, or nothing. */
export type CodeReturn = 'stdout' | 'stderr' | 'code' | 'all' | 'none';

export type ScriptLanguage = 'js' | 'javascript' | 'python';

interface CodeBase {
  runId: string;
  /** JSON pointer to the task in the document. */
  path: string;
  iteration: number[];
  /** From 1; a step that a `try` runs again, or that moves to another host, is another execution of it. */
  attempt: number;
  /** Of the host's lease when the step was placed there: an earlier holder of the name refuses it. */
  generation?: number;
  /** From stepId(): names the step's folders, and a step of one name runs once on a host. */
  step: string;
  arguments: string[];
  environment: Record<string, string>;
  stdin?: string;
  return: CodeReturn;
  timeoutMs: number;
  /** Expressions on secrets in `environment`, `stdin` and `parameters`, to be evaluated on the host; these have no value here. */
  sealed?: Sealed;
}

export interface ShellStep extends CodeBase {
  kind: 'shell';
  /** Given to /bin/sh as it is; arguments are `$1`, `$2`, … */
  command: string;
}

export interface ScriptStep extends CodeBase {
  kind: 'script';
  language: ScriptLanguage;
  code: string;
}

export interface ContainerStep extends CodeBase {
  kind: 'container';
  image: string;
  /** The author's own; without one it is made of `of`. */
  name?: string;
  of: { workflow: string; namespace: string; task: string };
  /** Given to the container's `sh -c`; without it the image's own command gets the arguments. */
  command?: string;
  ports: { container: number; host: number }[];
  volumes: { folder: string; path: string; readOnly: boolean }[];
  pull: 'missing' | 'always' | 'never';
  /** When the container is removed, after it ended by itself; in milliseconds. */
  removeAfterMs: number | 'never';
}

/** A server of the Model Context Protocol that speaks by its standard streams, and one request to it. */
export interface McpStep extends CodeBase {
  kind: 'mcp';
  /** A program, and no shell. */
  command: string;
  method: string;
  /** What sealed expressions give is put in on the host. */
  parameters?: Json;
  protocolVersion: string;
  client: { name: string; version: string };
}

/** The input of the activity `runCode`; everything in it but `sealed` is evaluated and literal. */
export type CodeStep = ShellStep | ScriptStep | ContainerStep | McpStep;

/** The input of the activity `settleCode`: a step that `runCode` was asked for, and never answered. */
export interface SettledStep {
  step: CodeStep;
  /** Whether a heartbeat told that it had begun. */
  wasSeen: boolean;
  /** When `runCode` was asked for it, by Temporal's clock. */
  scheduledAtMs: number;
}

/** A host that is back, or never was away, takes the question within this time, or not at all. */
export const SETTLED_WITHIN_MS = 12_000;

/**
 * `exitCode` of a process that a signal ended is 128 + the signal's number, as in a shell. `queueMs` is how long the
 * step was in the host's queue, when that is known.
 */
export type CodeResult = { host: string; stdoutBytes: number; stderrBytes: number; queueMs?: number } & (
  | { outcome: 'ok'; output: Json; exitCode: number }
  | { outcome: 'problem'; problem: RunProblem; exitCode?: number }
);

/**
 * Failures of `runCode` that are not data. `HostShutdown`: the host stopped in the middle and ended the step.
 * `RanBefore`: this step was started once already. Both mean that the step's outcome is unknown.
 */
export const codeFailures = { hostShutdown: 'HostShutdown', ranBefore: 'RanBefore' } as const;

/** The host's name has another holder by now: this one ran nothing. */
export const SUPERSEDED = 'Superseded';

export type OutputStream = 'stdout' | 'stderr';

/**
 * A piece of a step's output. A stream is the UTF-8 text of what the process wrote, with U+FFFD for NUL and
 * for bytes that are not UTF-8; `offset` and `length` count that text's bytes, pieces hold whole characters,
 * and `offset + length` is the next piece's offset.
 */
export type LogChunk = LogChunkMessage;

/** The input of `readLog` on a host: asks for what a stream holds from a byte on. */
export interface LogRange {
  runId: string;
  path: string;
  iteration: number[];
  /** Default: 1. */
  attempt?: number;
  stream: OutputStream;
  from: number;
}

/** An argument or a variable of a process; nothing for values that are neither text, numbers nor booleans. */
export function argumentText(value: Json): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** What a process reads: text as it is, all else as JSON. */
export const stdinText = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** A name for a step of a run that is a safe folder name; the same arguments always give the same name. */
export const stepId = (runId: string, path: string, iteration: number[], attempt = 1): string =>
  `${runId}-${fnv1a(`${path} ${iteration.join(' ')}`)}${attempt > 1 ? `-${attempt}` : ''}`;

/** FNV-1a, 64 bit, over UTF-16 code units: draft-eastlake-fnv, section 2. Needs nothing that workflows lack. */
export function fnv1a(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (let index = 0; index < text.length; index += 1)
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(index))) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}
