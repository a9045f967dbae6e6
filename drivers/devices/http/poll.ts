import type { HttpSettings } from '../../../domain/myntrix/device-http.ts';
import type { OutboundResponse } from '../../outbound/port.ts';
import { every } from '../every.ts';
import type { DeviceEvent, Reading } from '../protocols/port.ts';
import { at, jsonIn } from '../protocols/said.ts';

const ALIVE_MS = 2_000;
/** So many requests in a row without an answer, and the device is gone. */
const MISSES = 2;

interface Polling {
  settings: HttpSettings;
  ask(path: string): Promise<OutboundResponse>;
  emit(event: DeviceEvent): void;
  isBusy(): boolean;
  signal: AbortSignal;
  onLost(reason: string): void;
}

/** Reads what is configured again and again, and asks whether the device is there, until `signal`. */
export function startPolling({ settings, ask, emit, isBusy, signal, onLost }: Polling): void {
  let misses = 0;
  /** @returns undefined when there was no answer */
  async function tried(path: string): Promise<OutboundResponse | undefined> {
    try {
      const answer = await ask(path);
      misses = 0;
      return answer;
    } catch (error) {
      misses += 1;
      if (misses >= MISSES && !signal.aborted) onLost(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  for (const { path, everyMs, readings } of settings.poll ?? []) {
    let said = '';
    /** Each problem once, not each time. */
    const note = (problem: string): void => {
      if (problem !== '' && problem !== said) emit({ kind: 'log', line: problem });
      said = problem;
    };
    every(everyMs, signal, async () => {
      if (isBusy()) return;
      const answer = await tried(path);
      if (!answer || signal.aborted) return;
      if (answer.status >= 300) return note(`${path} was answered by ${answer.status}`);
      const value = jsonIn(Buffer.from(answer.body).toString('utf8'));
      const found = Object.entries(readings).flatMap(([name, pointer]) =>
        readingOf(name, at(value, pointer)),
      );
      if (found.length > 0) emit({ kind: 'readings', readings: found });
      const missing = Object.keys(readings).filter((name) => !found.some((reading) => reading.name === name));
      note(missing.length > 0 ? `the answer to ${path} holds no number for ${missing.join(', ')}` : '');
    });
  }
  every(settings.alive?.everyMs ?? ALIVE_MS, signal, async () => {
    if (!isBusy()) await tried(settings.alive?.path ?? '');
  });
}

const readingOf = (name: string, value: unknown): Reading[] =>
  typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
    ? [{ name, value: Number(value) }]
    : [];
