import type { Faults } from './faults.ts';
import type { DeviceRecord } from './record.ts';

/** What a simulated oven is told, by its command line. */
export interface OvenOptions {
  faults: Faults;
  record: DeviceRecord;
  /** 0 for a free one. */
  port: number;
  base: string;
  broker: string | undefined;
  /** `user:password` */
  login: string | undefined;
  /** How many times as fast as nature it heats. */
  speed: number;
}

/** An oven behind a broker, registers or a web server. */
export interface RunningOven {
  address: string;
  say(text: string): void;
  disconnect(): void;
  /** Answers nothing for so long. */
  pause(ms: number): void;
}

/** The oven itself: it heats to its target while it runs. */
export interface Oven {
  readonly state: Readonly<{ temperature: number; target: number; speed: number; running: boolean }>;
  /** @returns why not */
  set(name: string, value: number): string | undefined;
}

const AMBIENT = 20;
const TICK_MS = 50;
/** Of the way to its target, each second. */
const RATE = 0.2;
export const IDENTITY = { vendor: 'Example', name: 'Oven', version: '1.4.2' };

export function createOven(speed: number, record: DeviceRecord): Oven {
  const state = { temperature: AMBIENT, target: AMBIENT, speed: 0, running: false };
  setInterval(() => {
    const to = state.running ? state.target : AMBIENT;
    state.temperature += (to - state.temperature) * Math.min(1, (RATE * speed * TICK_MS) / 1_000);
  }, TICK_MS).unref();
  return {
    state,
    set(name, value) {
      const most = { target: 300, speed: 1_000, running: 1 }[name];
      if (most === undefined) return `there is no ${name}`;
      if (!(value >= 0 && value <= most)) return `${name} is from 0 to ${most}`;
      if (name === 'running') state.running = value !== 0;
      else if (name === 'target') state.target = value;
      else state.speed = value;
      record.executed(`${name}=${value}`);
      return undefined;
    },
  };
}

/** What the oven says to a command in JSON: `{"set":{"target":60}}`, `{"get":"target"}`, `{"identify":true}`, `{"stop":true}`. */
export function obeyOven(oven: Oven, command: Record<string, unknown>, record: DeviceRecord): object {
  if (command.identify) return { ok: true, ...IDENTITY };
  if (command.stop) {
    oven.set('running', 0);
    record.executed('stop');
    return { ok: true };
  }
  const { get, set } = command;
  if (typeof get === 'string' && Object.hasOwn(oven.state, get))
    return { ok: true, [get]: oven.state[get as keyof typeof oven.state] }; // its own: just asked
  if (typeof set !== 'object' || set === null) return { ok: false, error: 'not a command' };
  for (const [name, value] of Object.entries(set)) {
    const problem = oven.set(name, Number(value));
    if (problem) return { ok: false, error: problem };
  }
  return { ok: true };
}

const SLOW_MS = 300;

/** What becomes of an answer on its way. */
export type Fate = 'sent' | 'lost' | 'cut' | 'noise';

/** Decides what happens to commands and their answers, as the faults say. */
export function createFates(faults: Faults) {
  let pausedUntil = 0;
  return {
    pause(ms: number) {
      pausedUntil = Date.now() + ms;
    },
    /** What becomes of a command, before it is done. */
    ofCommand(): 'done' | 'lost' | 'refused' {
      if (faults.strikes('lose')) return 'lost';
      return faults.strikes('refuse') ? 'refused' : 'done';
    },
    /** Calls back when the answer is due. */
    ofAnswer(then: (fate: Fate) => void): void {
      const fate = faults.strikes('lose-ok')
        ? 'lost'
        : faults.strikes('disconnect')
          ? 'cut'
          : faults.strikes('noise')
            ? 'noise'
            : 'sent';
      const ms = Math.max(pausedUntil - Date.now(), faults.strikes('slow') ? SLOW_MS : 0);
      if (ms > 0) setTimeout(() => then(fate), ms);
      else then(fate);
    },
  };
}
