import {
  isSame,
  type KnownSettings,
  SETTINGS_LIMIT,
  type SettingsOutcome,
  type SettingValues,
  type WantedSettings,
} from '../../../domain/myntrix/device-settings.ts';
import { storableText } from '../../../domain/storable.ts';
import type { Answer } from '../protocols/port.ts';
import { type Ways, waysOf } from './ways.ts';

/** Gives one command and waits for its answer. */
export type Command = (text: string) => Promise<Pick<Answer, 'state' | 'lines' | 'reason'>>;

/**
 * Brings a device to its settings: asks what they are, writes those that differ, each once, and asks again.
 * @returns what the device says then, and why each that still differs does
 */
export async function applySettings(
  command: Command,
  protocol: string,
  { settings, desired }: WantedSettings,
): Promise<SettingsOutcome> {
  const ways = waysOf(protocol, settings);
  const names = [...new Set([...Object.keys(desired), ...Object.keys(settings)])];
  const before = await read(command, ways, names);
  const problems: Record<string, string> = {};
  const written: string[] = [];
  for (const [name, value] of Object.entries(desired)) {
    if (isSame(value, before.values[name])) continue;
    const text = ways.write(name, value);
    const problem =
      text === undefined
        ? `the protocol ${protocol} has no such setting: say how it is written in settings`
        : await tried(command, text);
    if (problem !== undefined) problems[name] = problem;
    else written.push(name);
  }
  const after = written.length === 0 ? before : await read(command, ways, names);
  for (const name of written)
    if (!isSame(desired[name] ?? '', after.values[name]))
      problems[name] =
        after.values[name] === undefined
          ? `it was written, and cannot be read back${after.problem === undefined ? '' : ` (${after.problem})`}`
          : `it was written, and the device still says ${after.values[name]}`;
  return { reported: limited(after.values, names), problems: shortened(problems) };
}

async function read(
  command: Command,
  ways: Ways,
  names: readonly string[],
): Promise<{ values: SettingValues; problem?: string }> {
  const values: SettingValues = {};
  let problem: string | undefined;
  for (const { command: text, find } of ways.reads(names))
    try {
      const { state, lines, reason } = await command(text);
      if (state === 'acknowledged') Object.assign(values, find(lines));
      else problem = `${text}: ${state} (${reason ?? 'no reason is known'})`;
    } catch (error) {
      problem = `${text}: ${error instanceof Error ? error.message : String(error)}`;
    }
  return { values, ...(problem === undefined ? {} : { problem }) };
}

/** @returns why it was not done */
async function tried(command: Command, text: string): Promise<string | undefined> {
  try {
    const { state, reason } = await command(text);
    return state === 'acknowledged' ? undefined : `${text}: ${state} (${reason ?? 'no reason is known'})`;
  } catch (error) {
    return `${text}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** What the answer to a command that somebody gave makes of what is known; nothing when it says nothing of settings. */
export function heardSettings(
  { protocol, settings, desired, reported, problems }: KnownSettings,
  command: string,
  lines: readonly string[],
): SettingsOutcome | undefined {
  const names = [...new Set([...Object.keys(desired), ...Object.keys(settings), ...Object.keys(reported)])];
  const heard = waysOf(protocol, settings).heard(command.trim(), lines, names);
  if (Object.keys(heard).length === 0) return undefined;
  return {
    reported: limited({ ...reported, ...heard }, names),
    // What was said of a value that is another one now is not true any more.
    problems: Object.fromEntries(
      Object.entries(problems).filter(
        ([name]) => !(name in heard) || isSame(heard[name] ?? '', reported[name]),
      ),
    ),
  };
}

/** What is wanted first: a controller may say more than is kept. */
function limited(values: SettingValues, names: readonly string[]): SettingValues {
  const rest = Object.keys(values).filter((name) => !names.includes(name));
  const kept = [...names.filter((name) => name in values), ...rest].slice(0, SETTINGS_LIMIT);
  return Object.fromEntries(kept.map((name) => [name, values[name] ?? '']));
}

const shortened = (problems: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(problems).map(([name, problem]) => [name, storableText(problem.slice(0, 500))]),
  );
