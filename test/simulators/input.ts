/** Bytes into lines, as a controller takes them out of its receive buffer. */
export interface Input {
  push(bytes: Buffer): void;
  /** The next whole line, if there is one. */
  line(): string | undefined;
  hasLine(): boolean;
  length(): number;
  /** Forgets everything that was not read yet, but for so many bytes. @returns how many were lost. */
  drop(except?: number): number;
}

export function createInput(): Input {
  let text = '';
  return {
    push(bytes) {
      text += bytes.toString('latin1');
    },
    line() {
      const end = text.search(/[\r\n]/);
      if (end === -1) return undefined;
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      return line;
    },
    hasLine: () => /[\r\n]/.test(text),
    length: () => text.length,
    drop(except = 0) {
      const lost = Math.max(0, text.length - except);
      text = text.slice(0, except);
      return lost;
    },
  };
}
