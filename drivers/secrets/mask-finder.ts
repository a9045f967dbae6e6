const PREFIX = 4;

/** What begins at a position: the longest form that is there whole, and whether more text could make a longer one. */
export type Finder = (text: string, at: number) => { length: number; isOpen: boolean };

const nothing = { length: 0, isOpen: false };

/**
 * Forms are looked up by their first characters and then by their length, so that a long text costs one look at each
 * of its characters, however many forms there are.
 */
export function createFinder(forms: readonly string[]): Finder {
  const sorted = [...forms].sort();
  const starts = new Uint8Array(0x10000);
  const byPrefix = new Map<string, { forms: Set<string>; lengths: number[] }>();
  for (const form of sorted) {
    starts[form.charCodeAt(0)] = 1;
    const prefix = form.slice(0, PREFIX);
    const group = byPrefix.get(prefix) ?? { forms: new Set(), lengths: [] };
    byPrefix.set(prefix, group);
    group.forms.add(form);
    if (!group.lengths.includes(form.length)) group.lengths.push(form.length);
  }
  for (const { lengths } of byPrefix.values()) lengths.sort((one, other) => other - one);
  return (text, at) => {
    if (starts[text.charCodeAt(at)] !== 1) return nothing;
    const left = text.length - at;
    const group = left < PREFIX ? undefined : byPrefix.get(text.slice(at, at + PREFIX));
    if (left >= PREFIX && !group) return nothing;
    const fits = (length: number) => length <= left && group?.forms.has(text.slice(at, at + length));
    const longest = group?.lengths[0] ?? PREFIX;
    const isOpen = longest > left && beginsOne(sorted, text.slice(at));
    return { length: group?.lengths.find(fits) ?? 0, isOpen };
  };
}

/** Whether any of these, in order, begins with a text and is longer. */
function beginsOne(sorted: readonly string[], text: string): boolean {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle] ?? '') <= text) from = middle + 1;
    else to = middle;
  }
  return sorted[from]?.startsWith(text) === true;
}
