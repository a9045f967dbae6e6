/** A line that is sent, and where it ends in what it was read from. */
export interface GcodeLine {
  text: string;
  /** From 1, counting comments and empty lines. */
  sourceLine: number;
  endByte: number;
}

export type GcodeSource = AsyncIterable<GcodeLine[]>;

export interface RunProgress {
  /** Lines and bytes that the device acknowledged; bytes count comments too. */
  acknowledgedLines: number;
  acknowledgedBytes: number;
  /** The last line of the source that it acknowledged. */
  sourceLine: number;
  sentLines: number;
}

export type RunEnd =
  | { kind: 'completed'; progress: RunProgress }
  /** `reason` says what of the safe sequence was not done. */
  | { kind: 'cancelled'; progress: RunProgress; reason?: string }
  /** It cannot go on by itself, and a person decides: nothing after `progress.sourceLine` is known to be done. */
  | { kind: 'held'; reason: string; progress: RunProgress };

export interface RunOptions {
  onProgress?: (progress: RunProgress) => void;
  /** At most that often; 250 unless given. */
  progressMs?: number;
}

export interface GcodeRun {
  progress(): RunProgress;
  /** Sends nothing more. Resolves once the device has acknowledged what it was sent. */
  pause(): Promise<void>;
  resume(): void;
  /**
   * Sends nothing more of the program, then these lines, each once, such as those that turn heaters off and lift the
   * tool.
   * @param drop has the device forget what it was sent and has not done; without it the device does that first
   */
  cancel(safeSequence: readonly string[], drop?: () => Promise<void>): Promise<RunEnd>;
  /** Never rejects. */
  readonly ended: Promise<RunEnd>;
}
