import { createHash, createSecretKey } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { validate } from 'uuid';
import { AppError } from '../../domain/errors.ts';

/** What an access token says (RFC 9068's type, issued and read by Vareon only). */
export interface AccessClaims {
  userId: string;
  sessionId: string;
  /** The user's `token_epoch` when it was issued. */
  epoch: number;
}

export interface AccessTokens {
  readonly lifetimeSeconds: number;
  issue(claims: AccessClaims): Promise<string>;
  /** @throws AppError `unauthenticated` for everything but a token of ours that has not expired. */
  read(token: string): Promise<AccessClaims>;
}

const ALGORITHM = 'HS256';
const TYPE = 'at+jwt';
const PARTY = 'vareon';

export function createAccessTokens(key: Buffer, lifetimeMinutes: number): AccessTokens {
  const secret = createSecretKey(key);
  const keyId = createHash('sha256').update('vareon key id').update(key).digest('base64url').slice(0, 16);
  const lifetimeSeconds = Math.max(1, Math.round(lifetimeMinutes * 60));
  // A signature costs 0.15 ms and stays right; what can change, the session and its user, is asked for elsewhere.
  const verified = new LRUCache<string, { claims: AccessClaims; expiresAtMs: number }>({ max: 5_000 });
  return {
    lifetimeSeconds,
    issue: ({ userId, sessionId, epoch }) =>
      new SignJWT({ sid: sessionId, epoch })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: keyId })
        .setIssuer(PARTY)
        .setAudience(PARTY)
        .setSubject(userId)
        .setIssuedAt()
        .setExpirationTime(`${lifetimeSeconds}s`)
        .sign(secret),
    async read(token) {
      const seen = verified.get(token);
      if (seen && seen.expiresAtMs > Date.now()) return seen.claims;
      try {
        const { payload, protectedHeader } = await jwtVerify(token, secret, {
          algorithms: [ALGORITHM],
          typ: TYPE,
          issuer: PARTY,
          audience: PARTY,
          requiredClaims: ['sub', 'sid', 'epoch', 'iat', 'exp'],
        });
        const { sub, sid, epoch } = payload;
        if (protectedHeader.kid !== keyId || !sub || !isUuid(sid) || typeof epoch !== 'number')
          throw new errors.JWTInvalid('not made by this installation');
        const claims = { userId: sub, sessionId: sid, epoch };
        verified.set(token, { claims, expiresAtMs: (payload.exp ?? 0) * 1000 });
        return claims;
      } catch (error) {
        if (!(error instanceof errors.JOSEError)) throw error;
        const why =
          error instanceof errors.JWTExpired ? 'has expired; refresh it' : 'is not valid; log in again';
        throw new AppError('unauthenticated', `The access token ${why}.`, {}, { cause: error });
      }
    },
  };
}

const isUuid = (value: unknown): value is string => typeof value === 'string' && validate(value);
