import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The first administrator's generated password. It is kept in a file until it has been shown, so that a
 * start that was killed between making the administrator and saying so does not lock everybody out.
 */
export function firstAdminPassword(dataDir: string) {
  const file = join(dataDir, 'keys', 'first-admin.password');
  const isLeft = existsSync(file);
  const password = isLeft ? readFileSync(file, 'utf8') : randomBytes(15).toString('base64url');
  if (!isLeft) writeFileSync(file, password, { mode: 0o600, flush: true });
  return {
    password,
    /** The password when it is to be shown: the administrator was made now, or by a start that could not say so. */
    toShow: (adminCreated: boolean): string | undefined => (adminCreated || isLeft ? password : undefined),
    forget: () => rmSync(file, { force: true }),
  };
}
