import { settled } from '../../domain/myntrix/agent-configuration.ts';
import type { AgentReport, LastEnd } from '../../domain/myntrix/agent-reports.ts';
import type { HostAgentStatus } from '../../domain/myntrix/agents.ts';
import type { Checking } from './checks.ts';
import type { ExitWatch } from './exit-watch.ts';
import { type Note, paths, writeNote } from './files.ts';
import { openOutput } from './output.ts';
import type { AgentEnd } from './port.ts';
import type { Prepared } from './prepare.ts';
import { type End, reportOn } from './report.ts';
import type { Standby } from './standby.ts';
import type { Usage } from './usage.ts';

export interface StateDeps {
  /** The agent's own, of the host alone. */
  folder: string;
  note: Note;
  /** What a report says has changed. */
  changed(report: AgentReport): void;
  warn(message: string, error: unknown): void;
}

export type AgentState = ReturnType<typeof createState>;

const TAIL_BYTES = 2_048;

/** One agent on this host: what is kept of it, what is said of it, and what is being done to it now. */
export function createState({ folder, note, changed, warn }: StateDeps) {
  const { id } = note.order;
  const files = paths(folder);
  const output = openOutput(files.output, (error) =>
    warn(`what agent ${id} prints is kept whole: the file system cannot give room back`, error),
  );
  const state = {
    id,
    folder,
    note,
    files,
    output,
    status: 'stopped' as HostAgentStatus,
    lastEnd: null as LastEnd | null,
    usage: { cpuPercent: 0, memoryBytes: 0 } as Usage,
    logBytes: 0,
    /** The first process inside of its container. */
    inner: undefined as number | undefined,
    watch: undefined as ExitWatch | undefined,
    checking: undefined as Checking | undefined,
    restarting: undefined as NodeJS.Timeout | undefined,
    /** A tree that is being ended by us: whoever sees its process gone leaves the rest to us. */
    ending: undefined as Promise<void> | undefined,
    beginning: undefined as Promise<void> | undefined,
    /** Gives up what a start waits for. */
    giveUp: undefined as AbortController | undefined,
    sweeping: undefined as Promise<void> | undefined,
    /** The next start, made ready. */
    standby: undefined as Standby | undefined,
    /** Settled when none is being made ready or ended: it shares files with whatever else starts under its number. */
    arranging: Promise.resolve() as Promise<unknown>,
    /** What the last start of this order used, for the next one. */
    prepared: undefined as Prepared | undefined,
    isClosed: false,
    over: Promise.withResolvers<AgentEnd>(),

    /** What a later life must know before something is done. @throws Error such as that the disk is full */
    save: () => writeNote(folder, note),
    /** What a later life should know; it goes on without, too. */
    keep(): void {
      try {
        writeNote(folder, note);
      } catch (error) {
        warn(`how agent ${id} is cannot be written down`, error);
      }
    },
    configuration: () => settled(note.order.configuration),
    report: (): AgentReport =>
      reportOn({
        note,
        status: state.status,
        lastEnd: state.lastEnd,
        usage: state.usage,
        logBytes: state.logBytes,
        failedChecks: state.checking?.failures() ?? 0,
      }),

    become(next: HostAgentStatus): void {
      state.status = next;
      changed(state.report());
    },

    /** Looks at its process no more. */
    letGo(): void {
      state.watch?.close();
      state.watch = undefined;
      state.checking?.stop();
      state.checking = undefined;
      state.inner = undefined;
      clearTimeout(state.restarting);
    },

    /** Resolves when nothing stands by any more, or is about to. */
    async dismiss(): Promise<void> {
      const { standby, arranging } = state;
      state.standby = undefined;
      if (standby) state.arranging = Promise.all([arranging, standby.dismiss()]);
      await state.arranging;
    },

    /** Notes how the process ended; what it printed last is read meanwhile. */
    tell(end: End): LastEnd {
      const noted: LastEnd = { code: null, signal: null, at: new Date().toISOString(), log: '', ...end };
      state.lastEnd = noted;
      note.lastEnd = noted;
      output.tail(TAIL_BYTES).then(
        (log) => {
          noted.log = log;
          if (state.lastEnd !== noted || state.isClosed) return;
          state.keep();
          changed(state.report());
        },
        (error: unknown) => warn(`the output of agent ${id} cannot be read`, error),
      );
      return noted;
    },

    /** The host looks after it no more. */
    close(end: AgentEnd, as: HostAgentStatus): void {
      state.letGo();
      void state.dismiss();
      note.wanted = 'stopped';
      note.ended = end;
      state.keep();
      state.become(as);
      state.over.resolve(end);
    },
  };
  state.over.promise.catch(() => {}); // perhaps nobody looks on
  return state;
}
