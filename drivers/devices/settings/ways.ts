import type { SettingValue, SettingValues, SettingWay } from '../../../domain/myntrix/device-settings.ts';
import { at, jsonIn, objectIn } from '../protocols/said.ts';

/** How the settings of a device are read and written by commands of its protocol. */
export interface Ways {
  /** The commands that ask for these settings, and what each answer says of them. */
  reads(names: readonly string[]): { command: string; find(lines: readonly string[]): SettingValues }[];
  /** What the answer to anybody's own command says of settings; of these names, where an answer may say other things. */
  heard(command: string, lines: readonly string[], names: readonly string[]): SettingValues;
  /** @returns undefined when there is no command for it */
  write(name: string, value: SettingValue): string | undefined;
}

/** @param given what the settings of the device say, which go before the protocol's own */
export function waysOf(protocol: string, given: Readonly<Record<string, SettingWay>>): Ways {
  const own = owns[protocol] ?? none;
  return {
    reads(names) {
      const asked = names.filter((name) => given[name]?.get !== undefined);
      return [
        ...asked.map((name) => ({
          command: given[name]?.get ?? '',
          find: (lines: readonly string[]) => found(name, lines, given[name]?.at),
        })),
        ...own.reads(names.filter((name) => !asked.includes(name))),
      ];
    },
    heard(command, lines, names) {
      const asked = names.filter((name) => given[name]?.get === command);
      return Object.assign(
        own.heard(command, lines, names),
        ...asked.map((name) => found(name, lines, given[name]?.at)),
      );
    },
    write: (name, value) => given[name]?.set?.replaceAll('{value}', written(value)) ?? own.write(name, value),
  };
}

const none: Ways = { reads: () => [], heard: () => ({}), write: () => undefined };
const written = (value: SettingValue): string =>
  typeof value === 'boolean' ? String(Number(value)) : String(value);
const typed = (text: string): SettingValue =>
  text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : shown(text.trim());
/** What can be kept of a text: noise holds all kinds of characters. */
const shown = (text: string): string =>
  text
    .slice(0, 200)
    .replaceAll(/\p{Cc}/gu, '\uFFFD')
    .toWellFormed();

/** `{"get":"target"}` and `{"set":{"target":60}}`, with the value in the answer under its name. */
const json: Ways = {
  reads: (names) =>
    names.map((name) => ({
      command: JSON.stringify({ get: name }),
      find: (lines) => found(name, lines, `/${name}`),
    })),
  heard(command, lines, names) {
    const name = objectIn(command)?.get;
    return typeof name === 'string' && names.includes(name) ? found(name, lines, `/${name}`) : {};
  },
  write: (name, value) => JSON.stringify({ set: { [name]: value } }),
};

const owns: Readonly<Record<string, Ways>> = {
  grbl: {
    // `$110=500.000`, and comments in brackets of older versions
    reads: (names) => (names.length === 0 ? [] : [{ command: '$$', find: grblValues }]),
    heard: (command, lines) => (command === '$$' ? grblValues(lines) : {}),
    write: (name, value) => (/^\$\d{1,3}$/.test(name) ? `${name}=${written(value)}` : undefined),
  },
  marlin: {
    // `echo:  M92 X80.00 Y80.00 Z400.00 E93.00 ; Steps per unit`
    reads: (names) => (names.length === 0 ? [] : [{ command: 'M503', find: marlinValues }]),
    // Loading and forgetting (M501, M502) tell them, too, and each command without a value tells its own.
    heard: (command, lines) => (/^(M50[123]\b|M\d{1,4}$)/.test(command) ? marlinValues(lines) : {}),
    write: (name, value) => (/^M\d{1,4} [A-Z]$/.test(name) ? `${name}${written(value)}` : undefined),
  },
  modbus: {
    reads: (names) =>
      names.map((name) => ({
        command: `read ${name}`,
        find: registerValues,
      })),
    heard: (_, lines, names) =>
      Object.fromEntries(Object.entries(registerValues(lines)).filter(([name]) => names.includes(name))),
    write: (name, value) => `write ${name} ${written(value)}`,
  },
  mqtt: json,
  'json-lines': json,
};

function matched(lines: readonly string[], pattern: RegExp): SettingValues {
  const pairs = lines.map((line) => pattern.exec(line)).filter((match) => match !== null);
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, typed(value)]));
}

const grblValues = (lines: readonly string[]) => matched(lines, /^(\$\d{1,3})\s*=\s*([-\d.]+)/);
const registerValues = (lines: readonly string[]) => matched(lines, /^([A-Za-z_][\w.-]*)=(.*)$/);

function marlinValues(lines: readonly string[]): SettingValues {
  const values: SettingValues = {};
  for (const line of lines) {
    const [, command, rest = ''] = /^(?:echo:)?\s*(M\d{1,4})\s+([^;]*)/.exec(line) ?? [];
    // With an index (T0, S0 of a material) a letter has several values: the first one counts.
    if (command)
      for (const [, letter = '', value = ''] of rest.matchAll(/([A-Z])(-?[\d.]+)/g))
        values[`${command} ${letter}`] ??= typed(value);
  }
  return values;
}

/** The value in an answer: at the pointer of its JSON, behind its `=`, or the answer itself. */
function found(name: string, lines: readonly string[], pointer: string | undefined): SettingValues {
  const text = lines.join('\n').trim();
  if (pointer === undefined) {
    const last = lines.at(-1) ?? '';
    return text === '' ? {} : { [name]: typed(last.slice(last.indexOf('=') + 1)) };
  }
  const value = at(jsonIn(text), pointer);
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string'
    ? { [name]: typeof value === 'string' ? shown(value) : value }
    : {};
}
