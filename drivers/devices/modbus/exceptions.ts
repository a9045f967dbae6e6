/** What exceptions mean. Source: MODBUS Application Protocol 1.1b3, 7. */
const meanings: Readonly<Record<number, string>> = {
  1: 'the device does not have this function',
  2: 'the device has no such address',
  3: 'the device does not take this value',
  4: 'the device could not do it: an error that it cannot mend',
  5: 'the device has taken it, and needs long',
  6: 'the device is busy with something else; it did not do it',
  7: 'the device cannot do this program function',
  8: 'the device found its memory damaged',
  10: 'the gateway has no way to the device',
  11: 'the device behind the gateway does not answer',
};
/** Of these nobody can say whether it is done: it goes on, or the answer was lost behind the gateway. */
const doubtful = [5, 11];

/** The number of an exception, in an error of the library. */
export function exceptionIn(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('response' in error)) return undefined;
  const { response } = error as { response?: { body?: { code?: unknown; isException?: unknown } } }; // UserRequestError's
  const code = response?.body?.isException === true ? response.body.code : undefined;
  return typeof code === 'number' ? code : undefined;
}

export const meaningOf = (code: number): string =>
  `exception ${code}: ${meanings[code] ?? 'not in its table'}`;

/** How a request came out that has no result. What only reads changes nothing: no answer is no. */
export function calledWith(error: unknown, isWrite: boolean) {
  const code = exceptionIn(error);
  const reason =
    code === undefined
      ? error instanceof Error || (typeof error === 'object' && error !== null && 'message' in error)
        ? `no answer: ${String(error.message)}`
        : 'no answer'
      : meaningOf(code);
  const isKnown = code !== undefined && !doubtful.includes(code);
  const state: 'unknown' | 'failed' = isWrite && !isKnown ? 'unknown' : 'failed';
  return { state, reason, lines: [] };
}
