import { settled, settledCheck } from '../../domain/myntrix/agent-configuration.ts';
import { healthOf } from '../../domain/myntrix/agent-health.ts';
import type { AgentReport, LastEnd } from '../../domain/myntrix/agent-reports.ts';
import { inWindow } from '../../domain/myntrix/agent-restarts.ts';
import type { HostAgentStatus } from '../../domain/myntrix/agents.ts';
import type { Note, Started } from './files.ts';
import { readStatus } from './files.ts';
import type { Usage } from './usage.ts';

export interface AgentFacts {
  note: Note;
  status: HostAgentStatus;
  lastEnd: LastEnd | null;
  usage: Usage;
  logBytes: number;
  failedChecks: number;
}

/** What the host says of an agent. Each has a higher `seq` than all before, in earlier lives of the host too. */
export function reportOn({ note, status, lastEnd, usage, logBytes, failedChecks }: AgentFacts): AgentReport {
  note.seq = Math.max(note.seq + 1, Date.now());
  const { started, order } = note;
  const settings = settled(order.configuration);
  const { memoryLimitBytes: limitBytes, healthCheck } = settings;
  const isUp = status === 'running' || status === 'stopping';
  const { health, parts } = healthOf({
    life: isUp ? 'up' : status === 'starting' ? 'starting' : 'down',
    check: healthCheck && {
      failures: failedChecks,
      threshold: settledCheck(healthCheck).failureThreshold,
    },
    restarts: {
      inWindow: inWindow(note.restarts, settings, Date.now()).length,
      allowed: settings.maxRestarts,
    },
    memory: limitBytes === undefined ? undefined : { bytes: usage.memoryBytes, limitBytes },
  });
  return {
    id: order.id,
    epoch: order.epoch,
    seq: note.seq,
    status,
    pid: isUp ? (started?.pid ?? null) : null,
    startedAt: isUp && started ? new Date(started.at).toISOString() : null,
    restarts: note.restarted,
    health,
    healthParts: parts,
    cpuPercent: isUp ? usage.cpuPercent : 0,
    memoryBytes: isUp ? usage.memoryBytes : 0,
    logBytes,
    lastEnd,
  };
}

/** What is known of how a process ended, with the time and the output still to come. */
export type End = Partial<LastEnd> & Pick<LastEnd, 'cause' | 'message'>;

/** Of docker-run(1) and podman-run(1): the engine itself failed. */
const ENGINE_FAILED = 125;

/** How the process of an agent that is gone ended, from what its launcher wrote down. */
export function exitOf(folder: string, { number, container }: Pick<Started, 'number' | 'container'>): End {
  const { code, signal } = readStatus(folder, number);
  if (container && code === ENGINE_FAILED)
    return {
      cause: 'not_started',
      code,
      signal,
      message: 'its container could not be started; the log says why',
    };
  if (code === 126 || code === 127)
    return { cause: 'exit', code, signal, message: `its command could not be run (exit code ${code})` };
  if (code !== null) return { cause: 'exit', code, signal, message: `it exited with code ${code}` };
  if (signal !== null) return { cause: 'exit', code, signal, message: `${signal} ended it` };
  return { cause: 'lost', code, signal, message: 'it is gone, and nobody saw how it ended' };
}
