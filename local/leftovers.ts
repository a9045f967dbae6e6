import { identify } from './child/identity.ts';
import { signalGroup } from './child/spawn.ts';
import { partLabels, type Report } from './events.ts';
import { type RunningPart, readState } from './state.ts';

const GRACE_MS = 5_000;

/** Ends what an earlier supervisor that was killed has left running. The caller holds the folder's lock. */
export async function endLeftovers(dataDir: string, report: Report): Promise<void> {
  const left = (readState(dataDir)?.parts ?? []).filter(stillRuns);
  if (left.length === 0) return;
  const names = left.map((part) => partLabels[part.part]).join(', ');
  report({ type: 'notice', text: `The last start did not end cleanly; ending what it left: ${names}` });
  for (const part of left) signal(part, part.stopSignal);
  const deadline = Date.now() + GRACE_MS;
  while (left.some(stillRuns) && Date.now() < deadline) await new Promise((next) => setTimeout(next, 50));
  for (const part of left.filter(stillRuns)) signalGroup(part.pid, 'SIGKILL');
}

const stillRuns = (part: RunningPart) => identify(part.pid) === part.identity;

function signal(part: RunningPart, name: NodeJS.Signals): void {
  try {
    process.kill(part.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it ended meanwhile
  }
}
