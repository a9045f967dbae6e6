import type { AgentOrder, AgentReport, LastEnd } from '../../domain/myntrix/agent-reports.ts';
import type { Attempts } from '../workflows/attempts.ts';

/** A piece of what an agent printed. Offsets count the bytes that it wrote, since its first start on the host. */
export interface AgentLog {
  /** Where the piece begins: later than asked for when what was asked for is not kept any more. */
  offset: number;
  nextOffset: number;
  text: string;
  /** How much it printed until now. */
  total: number;
}

/** How it came that the host looks after an agent no more. */
export type AgentEnd =
  /** It was told to stop, or its process ended as its restart policy wants it. */
  { kind: 'stopped' } | { kind: 'error'; reason: string; lastEnd: LastEnd };

/**
 * The agents of one host. They are no children of this process's life: they go on when it ends, however it ends,
 * and the next one adopts them. One process at a time may have a folder; the caller sees to that.
 */
export interface Agents {
  /** Looks after the agents of an earlier life that still run. To be awaited before anything else. @returns how many. */
  adopt(): Promise<number>;
  /**
   * Starts an agent, or looks on where it runs already for this order. An order older than the newest one known is
   * refused, so nothing is started twice. Resolves when the host looks after it no more.
   * @throws StaleOrder
   */
  supervise(order: AgentOrder, signal: AbortSignal): Promise<AgentEnd>;
  /** Ends the whole tree of an agent. Resolves when nothing is left of it. @throws StaleOrder */
  stop(order: Pick<AgentOrder, 'id' | 'epoch'>): Promise<void>;
  /** Forgets an agent that is stopped, with its output. */
  forget(id: string): Promise<void>;
  reports(): AgentReport[];
  /** Calls back with each change of what a report says besides its samples. @returns what ends that. */
  onChange(listener: (report: AgentReport) => void): () => void;
  /** Whole characters from an offset on. @returns nothing for an agent that this host never had. */
  readLog(id: string, from: number, limitBytes: number): Promise<AgentLog | undefined>;
  /** Who holds which, for the next life. */
  attempts: Attempts;
  /** Lets go of them all: they go on. */
  close(): void;
}
