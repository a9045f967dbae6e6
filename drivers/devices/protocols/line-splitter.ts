/** More than that without an end is noise: it is cut there. */
const LONGEST = 4_096;

/**
 * Bytes into lines: ended by LF, CR or both; empty ones are left out. serialport's own parser for this keeps what has
 * no end for ever, which noise at a wrong rate does not have.
 */
export function createLineSplitter(onLine: (line: string) => void): (bytes: Buffer) => void {
  let rest = '';
  return (bytes) => {
    const parts = (rest + bytes.toString('latin1')).split(/[\r\n]+/);
    rest = parts.pop() ?? '';
    for (const part of parts) if (part !== '') onLine(part);
    if (rest.length > LONGEST) {
      onLine(rest.slice(0, LONGEST));
      rest = '';
    }
  };
}
