import { createReadStream } from 'node:fs';
import type { Json } from '../../../domain/wire.ts';
import { readGcode } from './lines.ts';

const axes = ['x', 'y', 'z', 'e', 'a', 'b', 'c'] as const;

/** What a program has told the machine until a line, in the units of the program: what a person needs who goes on there. */
export interface MachineState {
  /** Where each axis was sent last; those that nobody sent anywhere are not in it. */
  position: { [axis: string]: number };
  absolute: boolean;
  absolute_extrusion: boolean;
  units: 'mm' | 'inch';
  feed_rate: number | null;
  tool: string | null;
  hotend: number | null;
  bed: number | null;
  fan: number | null;
  spindle: number | null;
}

export const initialState = (): MachineState => ({
  position: {},
  absolute: true,
  absolute_extrusion: true,
  units: 'mm',
  feed_rate: null,
  tool: null,
  hotend: null,
  bed: null,
  fan: null,
  spindle: null,
});

/** Takes a line in. Words are those that Marlin and GRBL have in common with RS-274 (NIST), and Marlin's M codes. */
export function follow(state: MachineState, line: string): void {
  const words = new Map<string, number>();
  const codes: string[] = [];
  for (const [, letter = '', value = ''] of line.toUpperCase().matchAll(/([A-Z])\s*(-?\d*\.?\d*)/g))
    if (letter === 'G' || letter === 'M' || letter === 'T') codes.push(`${letter}${Number(value)}`);
    else words.set(letter.toLowerCase(), Number(value));
  const s = words.get('s');
  for (const code of codes) effects[code]?.(state, s);
  const tool = codes.find((code) => code.startsWith('T'));
  if (tool) state.tool = tool;
  if (codes.includes('G92')) {
    for (const axis of axes) state.position[axis] = words.get(axis) ?? state.position[axis] ?? 0;
  } else if (codes.includes('G28')) {
    const named = (['x', 'y', 'z'] as const).filter((axis) => words.has(axis));
    for (const axis of named.length > 0 ? named : (['x', 'y', 'z'] as const)) state.position[axis] = 0;
  } else if (codes.length === 0 || codes.some((code) => /^G[0-3]$/.test(code))) move(state, words);
}

function move(state: MachineState, words: ReadonlyMap<string, number>): void {
  for (const axis of axes) {
    const to = words.get(axis);
    if (to === undefined) continue;
    const isAbsolute = axis === 'e' ? state.absolute_extrusion : state.absolute;
    state.position[axis] = isAbsolute ? to : (state.position[axis] ?? 0) + to;
  }
  state.feed_rate = words.get('f') ?? state.feed_rate;
}

const effects: Record<string, (state: MachineState, s: number | undefined) => void> = {
  G20: (state) => Object.assign(state, { units: 'inch' }),
  G21: (state) => Object.assign(state, { units: 'mm' }),
  G90: (state) => Object.assign(state, { absolute: true, absolute_extrusion: true }),
  G91: (state) => Object.assign(state, { absolute: false, absolute_extrusion: false }),
  M82: (state) => Object.assign(state, { absolute_extrusion: true }),
  M83: (state) => Object.assign(state, { absolute_extrusion: false }),
  M104: (state, s) => Object.assign(state, { hotend: s ?? state.hotend }),
  M109: (state, s) => Object.assign(state, { hotend: s ?? state.hotend }),
  M140: (state, s) => Object.assign(state, { bed: s ?? state.bed }),
  M190: (state, s) => Object.assign(state, { bed: s ?? state.bed }),
  M106: (state, s) => Object.assign(state, { fan: s ?? 255 }),
  M107: (state) => Object.assign(state, { fan: 0 }),
  M3: (state, s) => Object.assign(state, { spindle: s ?? state.spindle }),
  M4: (state, s) => Object.assign(state, { spindle: s ?? state.spindle }),
  M5: (state) => Object.assign(state, { spindle: 0 }),
};

/** What the lines of a file up to this one tell the machine; null when the file cannot be read any more. */
export async function machineAt(file: string, lastLine: number): Promise<Json> {
  const state = initialState();
  if (lastLine === 0) return { ...state };
  try {
    for await (const lines of readGcode(createReadStream(file)))
      for (const { text, sourceLine } of lines) {
        if (sourceLine > lastLine) return { ...state };
        follow(state, text);
      }
    return { ...state };
  } catch {
    return null; // it is a help, and what it is of is said all the same
  }
}
