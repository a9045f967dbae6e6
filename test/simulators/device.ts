import type { Faults } from './faults.ts';
import type { DeviceRecord } from './record.ts';

/** What a simulated device is told, by its command line. */
export interface DeviceOptions {
  /** How long a motion takes; none leaves out the mechanics. */
  motionMs: number;
  /** How many times as fast as nature heaters are. */
  speed: number;
  /** `ok` with the number of its line (Marlin's ADVANCED_OK). */
  advancedOk: boolean;
  /** Of the receive buffer, in bytes: what is too much is lost. */
  rxBuffer: number;
  /** Said at once when somebody opens the line: noise, as at a wrong rate. */
  noise: boolean;
  /** Needs homing or unlocking first (GRBL). */
  locked: boolean;
  /** Of its firmware (Marlin); `M997 <version>` writes another. */
  version: string;
}

export interface World {
  options: DeviceOptions;
  faults: Faults;
  record: DeviceRecord;
  say(text: string): void;
  disconnect(): void;
}

export interface SimulatedDevice {
  receive(bytes: Buffer): void;
  /** Powered on, or reset. */
  start(): void;
  /** Does nothing for so long: neither reads nor answers. */
  pause(ms: number): void;
  /** Of what it has received it does nothing more by itself. */
  isIdle(): boolean;
}

/** Bytes that no line discipline expects, with all kinds of values but a line's end. */
export function noiseOf(faults: Faults, length: number): string {
  const bytes = Array.from({ length }, () => {
    const byte = faults.random(256);
    return byte === 10 || byte === 13 ? 0xff : byte;
  });
  return Buffer.from(bytes).toString('latin1');
}

/** One character of the text with a bit turned round; never into a line's end. */
export function damaged(faults: Faults, text: string): string {
  if (text === '') return text;
  const at = faults.random(text.length);
  const code = text.charCodeAt(at) ^ (1 << faults.random(7));
  const safe = code === 10 || code === 13 ? code ^ 0x40 : code;
  return text.slice(0, at) + String.fromCharCode(safe) + text.slice(at + 1);
}

/** What becomes of lines on their way to the device. */
export function createWire(faults: Faults) {
  let joined = '';
  return {
    /** Whether the beginning of a line is on its way, without its end. */
    isJoining: () => joined !== '',
    /** What comes of a line; nothing when it is lost, or its end is. */
    arrived(line: string): string | undefined {
      if (faults.strikes('lose')) return undefined;
      if (faults.strikes('join')) {
        joined += line;
        return undefined;
      }
      const whole = joined + line;
      joined = '';
      return faults.strikes('damage') ? damaged(faults, whole) : whole;
    },
    clear(): void {
      joined = '';
    },
  };
}
