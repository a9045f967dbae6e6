import type { World } from './device.ts';
import { createHeaters } from './heaters.ts';
import { createSdCard } from './sd-card.ts';

/** True when it is done at once; else a question that is asked until it is. */
export type Outcome = true | (() => boolean);

const firmware = (version: string): string =>
  [
    `FIRMWARE_NAME:Marlin ${version} (simulated) SOURCE_CODE_URL:github.com/MarlinFirmware/Marlin PROTOCOL_VERSION:1.0`,
    'MACHINE_TYPE:Simulated Printer EXTRUDER_COUNT:1 UUID:cede2a2f-41a2-4748-9b12-c55c62f367ff',
  ].join(' ');
const CAPABILITIES = {
  AUTOREPORT_TEMP: 1,
  AUTOREPORT_POS: 1,
  EMERGENCY_PARSER: 1,
  HOST_KEEPALIVE: 1,
  SDCARD: 1,
  BINARY_FILE_TRANSFER: 0,
};

/** What it has in its EEPROM: what was set and not stored by M500 is forgotten with a reset. */
const stored = (): Record<string, Record<string, number>> => ({
  M92: { X: 80, Y: 80, Z: 400, E: 93 },
  M203: { X: 300, Y: 300, Z: 5, E: 25 },
});

/** What a printer does with a command that came right; what it says before its `ok`. */
export function createMarlinCommands({ options, say }: World) {
  let heaters = createHeaters(options.speed);
  const card = createSdCard(say);
  let position = { X: 0, Y: 0, Z: 0, E: 0 };
  let reports: NodeJS.Timeout | undefined;
  let positions: NodeJS.Timeout | undefined;

  const value = (line: string, letter: string): number | undefined => {
    const found = new RegExp(`${letter}(-?[\\d.]+)`).exec(line.slice(1));
    return found ? Number(found[1]) : undefined;
  };
  const move = (line: string): true => {
    for (const axis of ['X', 'Y', 'Z', 'E'] as const) position[axis] = value(line, axis) ?? position[axis];
    return true;
  };
  const heat = (name: 'T' | 'B', line: string): true => {
    heaters.set(name, value(line, 'S') ?? 0);
    return true;
  };
  const said = (text: string): true => {
    say(`${text}\n`);
    return true;
  };
  const after = (ms: number): Outcome => {
    const until = performance.now() + ms;
    return () => performance.now() >= until;
  };

  /** What M503 tells, in the firmware's own form. */
  let settings = stored();
  const configure = (line: string): true => {
    const values = settings[/^M\d+/.exec(line)?.[0] ?? ''] ?? {};
    for (const letter of Object.keys(values)) values[letter] = value(line, letter) ?? values[letter] ?? 0;
    return true;
  };

  const whereabouts = (): string =>
    `${Object.entries(position)
      .map(([axis, at]) => `${axis}:${at.toFixed(2)}`)
      .join(' ')} Count X:0 Y:0 Z:0`;

  const handlers: Record<string, (line: string) => Outcome> = {
    G0: move,
    G1: move,
    G4: (line) => after(value(line, 'P') ?? (value(line, 'S') ?? 0) * 1_000),
    G28() {
      position = { X: 0, Y: 0, Z: 0, E: position.E };
      return true;
    },
    G92: move,
    M104: (line) => heat('T', line),
    M109(line) {
      heat('T', line);
      return () => heaters.isThere('T');
    },
    M110: () => true,
    M114: () => said(whereabouts()),
    M115() {
      say(`${firmware(options.version)}\n`);
      for (const [name, has] of Object.entries(CAPABILITIES)) say(`Cap:${name}:${has}\n`);
      return true;
    },
    M140: (line) => heat('B', line),
    M154(line) {
      clearInterval(positions);
      const seconds = value(line, 'S') ?? 0;
      if (seconds > 0) positions = setInterval(() => say(`${whereabouts()}\n`), seconds * 1_000);
      return true;
    },
    M155(line) {
      clearInterval(reports);
      const seconds = value(line, 'S') ?? 0;
      if (seconds > 0) reports = setInterval(() => say(` ${heaters.report()}\n`), seconds * 1_000);
      return true;
    },
    M190(line) {
      heat('B', line);
      return () => heaters.isThere('B');
    },
    M92: configure,
    M203: configure,
    M503() {
      for (const [name, values] of Object.entries(settings)) {
        const pairs = Object.entries(values).map(([letter, number]) => `${letter}${number.toFixed(2)}`);
        say(`echo:; what ${name} is:\necho:  ${name} ${pairs.join(' ')}\n`);
      }
      return true;
    },
    /** Real ones take new firmware from their card. */
    M997(line) {
      options.version = line.slice('M997'.length).trim();
      return true;
    },
    M999: () => true,
  };
  const silent =
    /^(G([2-5]|17|18|19|2[0-1]|29|9[01])|M(17|18|2[0-1]|73|105|8[2-5]|10[67]|11[37]|20[0-24-5]|22[01]|40[0-9]|500|501|900))$/;

  return {
    /** @returns what it waits for, if it does. Commands that are sent to a file are not carried out. */
    run(line: string): Outcome {
      if (card.takes(line)) return true;
      const name = /^[GMT]\d+/.exec(line)?.[0] ?? '';
      const handler = handlers[name];
      if (handler) return handler(line);
      if (!card.command(name, line) && !silent.test(name) && !name.startsWith('T'))
        say(`echo:Unknown command: "${line}"\n`);
      return true;
    },
    isWriting: card.isWriting,
    /** What its `ok` says besides. */
    answer: (line: string): string => (/^M105\b/.test(line) ? ` ${heaters.report()}` : ''),
    reset(): void {
      clearInterval(reports);
      clearInterval(positions);
      heaters = createHeaters(options.speed);
      settings = stored();
      card.reset();
    },
  };
}
