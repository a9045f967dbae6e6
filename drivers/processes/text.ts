/** Pieces of UTF-8, cut between characters. A continuation byte is 10xxxxxx (RFC 3629, section 3). */
const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/**
 * Turns what a process writes into text that can be kept anywhere; characters that are split between calls are
 * held back, `undefined` ends the stream.
 */
export function createTextDecoder(): (bytes: Buffer | undefined) => string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return (bytes) =>
    (bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode()).replaceAll('\0', '\ufffd');
}

/** Cuts valid UTF-8 into pieces of at most `limit` bytes (4 or more), never inside a character. */
export function* pieces(bytes: Buffer, limit: number): Generator<Buffer> {
  let from = 0;
  while (from < bytes.length) {
    let to = Math.min(from + limit, bytes.length);
    while (to < bytes.length && isContinuation(bytes[to])) to -= 1;
    yield bytes.subarray(from, to);
    from = to;
  }
}

/** A range of valid UTF-8 without the characters that its two ends cut. */
export function wholeCharacters(bytes: Buffer): { skipped: number; bytes: Buffer } {
  let from = 0;
  while (from < bytes.length && isContinuation(bytes[from])) from += 1;
  let last = bytes.length - 1;
  while (last > from && isContinuation(bytes[last])) last -= 1;
  const complete = last < from || last + characterLength(bytes[last] ?? 0) <= bytes.length;
  return { skipped: from, bytes: bytes.subarray(from, complete ? bytes.length : last) };
}

const characterLength = (lead: number): number => (lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);
