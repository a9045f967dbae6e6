import { type Fallback, type Mocked, mockFlag, type SystemFunction } from '../../domain/system/access.ts';

const TIMEOUT_MS = 5_000;
const REASON_LENGTH = 500;

export interface SystemAccess {
  /**
   * What the machine says, or what `mock` makes up, marked as such with the reason: the flag of the function is set,
   * or `real` failed or gave no answer in time. The log is warned once, and told when it works again.
   */
  read<T extends object>(name: SystemFunction, real: () => Promise<T>, mock: () => T): Promise<T & Mocked>;
  /** What is not as it should be now. */
  fallbacks(): Fallback[];
}

export interface SystemAccessOptions {
  /** Functions whose flag is set. */
  mocked: ReadonlySet<SystemFunction>;
  log: { warn(details: object, message: string): void; info(details: object, message: string): void };
  timeoutMs?: number;
}

/** The one way to what belongs to the machine: real first, and honest about what is not. */
export function createSystemAccess({
  mocked,
  log,
  timeoutMs = TIMEOUT_MS,
}: SystemAccessOptions): SystemAccess {
  const known = new Map<SystemFunction, Fallback>();
  /** Reads that have not come back: another one would hang beside it. */
  const hanging = new Map<SystemFunction, Promise<unknown>>();

  function fallBack<T extends object>(name: SystemFunction, why: string, mock: () => T, error?: unknown) {
    const reason = why.slice(0, REASON_LENGTH);
    if (!known.has(name)) {
      known.set(name, { function: name, mocked: true, reason, since: new Date().toISOString() });
      log.warn({ function: name, reason, err: error }, 'made-up values: a part of this machine is not read');
    }
    return { ...mock(), mocked: true as const, reason };
  }

  return {
    async read(name, real, mock) {
      if (mocked.has(name)) return fallBack(name, `${mockFlag(name)}=true`, mock);
      if (hanging.has(name)) return fallBack(name, `no answer within ${timeoutMs / 1_000} s`, mock);
      try {
        const reading = real();
        hanging.set(name, reading);
        const done = () => void hanging.delete(name);
        reading.then(done, done);
        const value = await within(reading, timeoutMs);
        if (known.delete(name)) log.info({ function: name }, 'a part of this machine can be read again');
        return value;
      } catch (error) {
        return fallBack(name, reasonOf(error), mock, error);
      }
    },
    fallbacks: () => [...known.values()],
  };
}

async function within<T>(reading: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1_000} s`)), timeoutMs);
  try {
    return await Promise.race([reading, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

const denied = new Set(['EACCES', 'EPERM']);

/** The first line: programs say more than a person wants to read in a list. */
function reasonOf(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && denied.has(code) ? `permission denied: ${text}` : text;
}
