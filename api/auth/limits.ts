import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { RateLimiterRes } from 'rate-limiter-flexible';
import { createLimiter } from '../../db/auth/limits.ts';
import type { Database } from '../../db/orm.ts';
import { AppError } from '../../domain/errors.ts';

const MINUTE = 60;
/** Failures of one account that cost nothing yet; each further one waits twice as long as the one before. */
const FREE_FAILURES = 5;
const LONGEST_DELAY_SECONDS = 15 * MINUTE;
/** In 15 minutes, whoever asks: each mail makes the token of the one before worthless, and fills a mailbox. */
const MAILS_PER_ACCOUNT = 5;

export interface AuthLimits {
  /**
   * Tries a password; `attempt` says whether it was right. Counts before it tries, so that guesses that come all
   * at once are as few as those that come one after another.
   * @throws AppError `rate_limited` while the account or the address has to wait.
   */
  password(account: string, ip: string, attempt: () => Promise<boolean>): Promise<boolean>;
  /** Forgets the failures of an account whose owner has shown who they are in another way. */
  forgive(account: string): Promise<void>;
  /** Whether an account may be sent another mail with a token; nobody is told when not. */
  mayMail(account: string): Promise<boolean>;
  /** @throws AppError `rate_limited` when this address has done it too often. */
  once(what: 'register' | 'reset' | 'verify', ip: string): Promise<void>;
}

/** Counters in the database: what one replica counts, all of them know. */
export function createAuthLimits(database: Database): AuthLimits {
  const perAddress = (name: string, points: number, durationSeconds: number) =>
    createLimiter(database, { name, points, durationSeconds });
  const addresses = perAddress('login_address', 50, 15 * MINUTE);
  const failures = createLimiter(database, {
    name: 'login_failures',
    points: 1,
    durationSeconds: 24 * 60 * MINUTE,
  });
  const mails = createLimiter(database, { name: 'reset_account', points: 1, durationSeconds: 15 * MINUTE });
  const gate = createLimiter(database, { name: 'login_gate', points: 1, durationSeconds: 1 });
  const actions = {
    register: perAddress('register', 10, 60 * MINUTE),
    reset: perAddress('reset', 10, 15 * MINUTE),
    verify: perAddress('verify', 30, 15 * MINUTE),
  };

  /** Lets one attempt through for each delay, and none while it lasts. */
  async function admit(account: string): Promise<void> {
    // Asked before counting, so that a crowd that is turned away does not lengthen the next delay.
    const waiting = await gate.get(account);
    if (waiting && waiting.msBeforeNext > 0) throw tooMany(waiting, 'for this account');
    const { consumedPoints } = await failures.penalty(account);
    if (consumedPoints < FREE_FAILURES) return;
    const delay = Math.min(2 ** (consumedPoints - FREE_FAILURES), LONGEST_DELAY_SECONDS);
    try {
      await gate.consume(account, 1, { customDuration: delay });
    } catch (error) {
      await failures.reward(account);
      throw tooMany(error, 'for this account');
    }
  }

  async function forgive(account: string): Promise<void> {
    await Promise.all([failures.delete(accountKey(account)), gate.delete(accountKey(account))]);
  }

  return {
    async password(account, ip, attempt) {
      const address = addressKey(ip);
      await take(addresses, address, 'from this address');
      try {
        await admit(accountKey(account));
      } catch (error) {
        // It was not tried, so it is no failure of this address.
        await addresses.reward(address);
        throw error;
      }
      const isRight = await attempt();
      if (isRight) await Promise.all([forgive(account), addresses.reward(address)]);
      return isRight;
    },
    forgive,
    mayMail: async (account) => {
      const { consumedPoints } = await mails.penalty(accountKey(account));
      return consumedPoints <= MAILS_PER_ACCOUNT;
    },
    once: (what, ip) => take(actions[what], addressKey(ip), 'from this address'),
  };
}

async function take(limiter: ReturnType<typeof createLimiter>, key: string, where: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (error) {
    throw tooMany(error, where);
  }
}

/** rate-limiter-flexible rejects with a result when it is too much, and with an error when it is broken. */
function tooMany(reason: unknown, where: string): unknown {
  if (!(reason instanceof RateLimiterRes)) return reason;
  const seconds = Math.max(1, Math.ceil(reason.msBeforeNext / 1000));
  return new AppError('rate_limited', `Too many attempts ${where}; try again in ${seconds} s.`, {
    retryAfterSeconds: seconds,
  });
}

/** Whatever is typed as a name fits the key, and the table lists no names. */
const accountKey = (account: string): string =>
  createHash('sha256').update(account.normalize('NFKC').toLowerCase()).digest('base64url');

/** One address of IPv4; of IPv6 the /64, of which a customer has all addresses. */
export function addressKey(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1];
  if (mapped || !isIPv6(ip)) return mapped ?? ip;
  const [head = '', tail] = ip.split('%')[0]?.toLowerCase().split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length;
  return [...groups, ...Array<string>(zeros).fill('0'), ...after].slice(0, 4).join(':');
}
