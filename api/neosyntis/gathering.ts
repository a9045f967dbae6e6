import type { Principal } from '../../domain/auth/principal.ts';
import { AppError, type InputProblem } from '../../domain/errors.ts';
import { wantedSources } from '../../domain/neosyntis/definition.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import { isObject } from '../../domain/neosyntis/json.ts';
import { plainProblems } from '../../domain/neosyntis/plain.ts';
import {
  MOST_SOURCES,
  SOURCES_LIMIT,
  type Source,
  type Sources,
  type WantedSource,
} from '../../domain/neosyntis/sources.ts';
import type { Json } from '../../domain/wire.ts';
import type { createCheckTime } from './check-time.ts';
import { type SourceReader, sourceOf } from './sources.ts';

interface GatheringDeps {
  time: ReturnType<typeof createCheckTime>;
  reader: SourceReader;
  validate(user: Principal, steps: readonly Json[], given: Pick<Partial<Document>, 'use'>): { ok: boolean };
  validateWhole(user: Principal, value: unknown): { ok: boolean };
  /** The pointer of steps. */
  root: string;
}

/** Reads what definitions name that is elsewhere, and what is named in that. */
export function createGathering({ time, reader, validate, validateWhole, root }: GatheringDeps) {
  /** @param isWell asked before anything is read: what is wrong without it is said at once. */
  async function gather(
    user: Principal,
    ownerId: string,
    given: { do?: unknown; use?: unknown },
    options: { root: string; use?: Document['use'] },
    isWell: () => boolean,
  ): Promise<Sources> {
    const sources: Record<string, Source> = {};
    const next = () => time.spend(user.userId, () => wantedSources(given, { ...options, sources }));
    let { wanted, problems } = next();
    if (wanted.length === 0 || !isWell()) return {};
    while (wanted.length > 0 && problems.length === 0) {
      requireLimits(user, wanted, Object.keys(sources).length);
      const read = await Promise.all(wanted.map(async (one) => ({ one, read: await reader(ownerId, one) })));
      const errors: InputProblem[] = [];
      for (const { one, read: answer } of read) {
        const result = time.spend(user.userId, () => sourceOf(one, answer));
        if ('source' in result) sources[one.key] = result.source;
        else errors.push({ path: one.at, message: result.message });
      }
      if (errors.length > 0) throw unreadable(errors);
      const characters = JSON.stringify(sources).length;
      if (characters > SOURCES_LIMIT)
        throw unreadable(
          wanted.map(({ at, uri }) => ({
            path: at,
            message: `with ${uri} all that is read has ${characters} characters of JSON; ${SOURCES_LIMIT} is the limit`,
          })),
        );
      ({ wanted, problems } = next());
    }
    return sources;
  }

  return {
    /** @throws AppError `invalid` naming what could not be read; `unavailable` */
    async ofSteps(user: Principal, ownerId: string, steps: readonly Json[], use?: Document['use']) {
      if (plainProblems(steps, root).length > 0) return {};
      const isWell = () => validate(user, steps, use ? { use } : {}).ok;
      return gather(user, ownerId, { do: steps }, { root, ...(use ? { use } : {}) }, isWell);
    },
    /** @throws as `ofSteps` does */
    async ofDocument(user: Principal, ownerId: string, value: unknown): Promise<Sources> {
      if (!isObject(value) || plainProblems(value, '').length > 0) return {};
      // What `use` is, is checked before anything is read.
      const use = value.use as Document['use'];
      return gather(user, ownerId, value, { root: '/do', ...(use ? { use } : {}) }, () =>
        Boolean(validateWhole(user, value).ok),
      );
    },
  };
}

const unreadable = (errors: InputProblem[]) =>
  new AppError('invalid', `What is named elsewhere has ${errors.length} problem(s): ${errors[0]?.message}`, {
    errors,
  });

/** Reading may send the owner's secrets: who may only look at workflows reads nothing. */
function requireLimits(user: Principal, wanted: readonly WantedSource[], already: number): void {
  const message = !user.permissions.has('neosyntis:workflows:write')
    ? 'is elsewhere and is read only for those who may save: neosyntis:workflows:write'
    : already + wanted.length > MOST_SOURCES
      ? `more than ${MOST_SOURCES} functions and schemas are elsewhere`
      : undefined;
  if (message !== undefined) throw unreadable(wanted.map(({ at }) => ({ path: at, message })));
}
