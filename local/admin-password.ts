import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The password for the first administrator when the settings give none. Until it has been shown once it is
 * kept in a file, so that a start which is killed between making the administrator and saying so does not
 * lock everybody out; the empty file says that this is over.
 */
export function firstAdminPassword(dataDir: string) {
  const file = join(dataDir, 'keys', 'first-admin.password');
  const isOver = existsSync(file);
  const left = isOver ? readFileSync(file, 'utf8') : '';
  const password = left || randomBytes(15).toString('base64url');
  const write = (content: string) => writeFileSync(file, content, { mode: 0o600, flush: true });
  if (!isOver) write(password);
  return {
    password,
    /** The password, if it is to be shown; called when the API has said whether it made the administrator. */
    toShow: (adminCreated: boolean): string | undefined => (adminCreated || left ? password : undefined),
    hasBeenShown: () => write(''),
  };
}
