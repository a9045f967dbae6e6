/** A printer's card: files that are written line by line (M28, M29), chosen (M23), printed (M24, M25) and listed. */
export function createSdCard(say: (text: string) => void) {
  const files = new Map<string, string[]>();
  let writing: { name: string; lines: string[] } | undefined;
  let chosen: { name: string; size: number; done: number; isPrinting: boolean } | undefined;
  const sizeOf = (lines: readonly string[]): number =>
    lines.reduce((size, line) => size + line.length + 1, 0);
  const nameIn = (line: string): string => line.replace(/^M\d+\s*/, '').toUpperCase();

  const commands: Record<string, (line: string) => void> = {
    M20() {
      say('Begin file list\n');
      for (const [name, lines] of files) say(`${name} ${sizeOf(lines)}\n`);
      say('End file list\n');
    },
    M21: () => say('echo:SD card ok\n'),
    M23(line) {
      const name = nameIn(line);
      const lines = files.get(name);
      if (!lines) return say(`open failed, File: ${name}.\n`);
      chosen = { name, size: sizeOf(lines), done: 0, isPrinting: false };
      say(`File opened: ${name} Size: ${chosen.size}\nFile selected\n`);
    },
    M24() {
      if (chosen) chosen.isPrinting = true;
    },
    M25() {
      if (chosen) chosen.isPrinting = false;
    },
    M27() {
      if (!chosen?.isPrinting) return say('Not SD printing\n');
      chosen.done = Math.min(chosen.size, chosen.done + Math.ceil(chosen.size / 10));
      say(`SD printing byte ${chosen.done}/${chosen.size}\n`);
      if (chosen.done === chosen.size) {
        chosen = undefined;
        say('Done printing file\n');
      }
    },
    M28(line) {
      writing = { name: nameIn(line), lines: [] };
      say(`Writing to file: ${writing.name}\n`);
    },
    M30(line) {
      const name = nameIn(line);
      say(files.delete(name) ? `File deleted:${name}\n` : `Deletion failed, File: ${name}.\n`);
    },
  };

  return {
    isWriting: (): boolean => writing !== undefined,
    /** Whether the line went into the file that is being written. */
    takes(line: string): boolean {
      if (!writing) return false;
      if (!/^M29\b/.test(line)) {
        writing.lines.push(line);
        return true;
      }
      files.set(writing.name, writing.lines);
      writing = undefined;
      say('Done saving file.\n');
      return true;
    },
    command(name: string, line: string): boolean {
      commands[name]?.(line);
      return name in commands;
    },
    reset(): void {
      writing = undefined;
      chosen = undefined;
    },
  };
}
