/** Appends keys and positions to a JSON pointer (RFC 6901). */
export const pointer = (root: string, ...parts: (string | number)[]): string =>
  parts.reduce<string>(
    (path, part) => `${path}/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`,
    root,
  );
