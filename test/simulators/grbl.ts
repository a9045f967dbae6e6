import { createWire, damaged, noiseOf, type SimulatedDevice, type World } from './device.ts';
import { createGrblLines } from './grbl-lines.ts';
import { createInput } from './input.ts';

/** Motions that it plans ahead. */
const PLANNER = 15;

export type GrblState = 'Idle' | 'Run' | 'Hold' | 'Alarm' | 'Home' | 'Check';

/** What the controller is at, for its status and its lines. */
export interface GrblMachine {
  state: GrblState;
  position: [number, number, number];
  feed: number;
  /** Motions that are planned. */
  planned: number;
  /** A limit was hit: until it is reset it does nothing. */
  isStuck: boolean;
  /** And then it has to be unlocked, or homed. */
  isLocked: boolean;
}

/**
 * A controller with GRBL 1.1's protocol, as its wiki's "Interface" and "Commands" have it: a receive buffer of 128
 * bytes whose overflow is lost, `ok` or `error:N` for each line, characters that act at once, alarms.
 */
export function createGrbl(world: World): SimulatedDevice {
  const { options, faults, record, say } = world;
  const input = createInput();
  const machine: GrblMachine = {
    state: 'Idle',
    position: [0, 0, 0],
    feed: 0,
    planned: 0,
    isStuck: false,
    isLocked: false,
  };
  const lines = createGrblLines(machine, world);
  let pausedUntil = 0;
  const wire = createWire(faults);
  let motion: NodeJS.Timeout | undefined;

  function start(): void {
    input.drop();
    wire.clear();
    const wasMoving = machine.state === 'Run' || machine.state === 'Home';
    machine.planned = 0;
    machine.state = machine.isLocked || options.locked || wasMoving ? 'Alarm' : 'Idle';
    say("\r\nGrbl 1.1h ['$' for help]\r\n");
    machine.isStuck = false;
    if (wasMoving) say('ALARM:3\r\n');
    if (machine.state === 'Alarm') say("[MSG:'$H'|'$X' to unlock]\r\n");
  }

  function status(): string {
    const at = machine.position.map((axis) => axis.toFixed(3)).join(',');
    const free = Math.max(0, options.rxBuffer - input.length());
    return `<${machine.state === 'Hold' ? 'Hold:0' : machine.state}|MPos:${at}|Bf:${PLANNER - machine.planned},${free}|FS:${machine.feed},0>\r\n`;
  }

  const realtime: Record<number, () => void> = {
    24: () => {
      record.executed('0x18');
      start();
    },
    33: () => {
      record.executed('!');
      if (machine.state === 'Run' || machine.state === 'Idle') machine.state = 'Hold';
    },
    63: () => say(status()),
    126: () => {
      record.executed('~');
      if (machine.state !== 'Hold') return;
      machine.state = machine.planned > 0 ? 'Run' : 'Idle';
      pump();
    },
  };

  /** Takes the characters out that act at once. @returns the rest. */
  function sifted(bytes: Buffer): Buffer {
    let rest = bytes;
    for (let at = 0; at < rest.length; at++) {
      const byte = rest[at] ?? 0;
      const act = realtime[byte];
      if (!act && byte < 0x80) continue;
      // What came before it is in the buffer by now; what comes after it is not yet.
      input.push(rest.subarray(0, at));
      rest = rest.subarray(at + 1);
      at = -1;
      act?.();
    }
    return rest;
  }

  function answer(text: string): void {
    if (faults.strikes('lose-ok')) return;
    if (faults.strikes('noise')) say(`${noiseOf(faults, 24)}\r\n`);
    say(`${faults.strikes('damage-ok') ? damaged(faults, text) : text}\r\n`);
  }

  function carryOut(raw: string): void {
    record.received(raw);
    const line = raw.trim();
    const result = lines.run(line);
    if (result === undefined) return;
    if (result === 'ok' && line !== '') record.executed(line);
    if (faults.strikes('reset')) {
      start();
      return;
    }
    if (faults.strikes('disconnect')) {
      say('o');
      world.disconnect();
      return;
    }
    if (faults.strikes('slow')) pausedUntil = performance.now() + 50 + faults.random(200);
    answer(result);
    if (options.motionMs > 0 && result === 'ok' && /^(G0?[0-3])\b/.test(line)) {
      machine.planned += 1;
      if (machine.state === 'Idle') machine.state = 'Run';
      move();
    }
  }

  function move(): void {
    motion ??= setInterval(() => {
      if (machine.state !== 'Run') return;
      machine.planned = Math.max(0, machine.planned - 1);
      if (machine.planned === 0) {
        machine.state = 'Idle';
        clearInterval(motion);
        motion = undefined;
      }
      pump();
    }, options.motionMs);
  }

  function pump(): void {
    // A machine that is held reads nothing until it goes on, and one that hit a limit until it is reset.
    while (machine.planned < PLANNER && machine.state !== 'Hold' && !machine.isStuck) {
      const wait = pausedUntil - performance.now();
      if (wait > 0) {
        setTimeout(pump, wait);
        break;
      }
      const line = input.line();
      if (line === undefined) break;
      const whole = wire.arrived(line);
      if (whole !== undefined) carryOut(whole);
    }
    input.drop(options.rxBuffer);
  }

  return {
    start,
    receive(bytes) {
      record.bytes(bytes.length);
      input.push(sifted(bytes));
      pump();
    },
    pause(ms) {
      pausedUntil = performance.now() + ms;
      pump();
    },
    isIdle: () => machine.state === 'Hold' || machine.isStuck || (machine.planned === 0 && !input.hasLine()),
  };
}
