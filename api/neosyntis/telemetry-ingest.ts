import { LRUCache } from 'lru-cache';
import type {
  KnownSeries,
  SeriesName,
  TelemetrySeriesRepository,
} from '../../db/neosyntis/telemetry-series.ts';
import { SeriesGone, type TelemetryWriter } from '../../db/neosyntis/telemetry-write.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { IngestAnswer } from '../../domain/neosyntis/telemetry.ts';
import { DAY_US, SERIES_OF_USER } from '../../domain/neosyntis/telemetry-limits.ts';
import type { Batch } from './telemetry-batch.ts';

/** Series whose numbers are remembered: about 300 bytes each. */
const REMEMBERED = 50_000;
/** How long another process may go by an older retention. */
const REMEMBERED_MS = 60_000;

export interface IngestDeps {
  series: Pick<TelemetrySeriesRepository, 'resolve' | 'readableWorkflows'>;
  writer: TelemetryWriter;
  /** Of series that say nothing themselves; 0 is for ever. */
  keepDays: number;
}

/** Stores batches: at most a statement each for workflows and new series, and one for the readings. */
export function createIngest({ series, writer, keepDays }: IngestDeps) {
  const remembered = new LRUCache<string, KnownSeries>({ max: REMEMBERED, ttl: REMEMBERED_MS });

  async function known(
    user: Principal,
    wanted: ReadonlyMap<string, SeriesName>,
  ): Promise<Map<string, KnownSeries>> {
    const found = new Map<string, KnownSeries>();
    const absent = new Map<string, SeriesName>();
    for (const [key, name] of wanted) {
      const one = remembered.get(`${user.userId} ${key}`);
      if (one) found.set(key, one);
      else absent.set(key, name);
    }
    if (absent.size === 0) return found;
    for (const [key, one] of await series.resolve(user.userId, absent)) {
      remembered.set(`${user.userId} ${key}`, one);
      found.set(key, one);
    }
    return found;
  }

  /** @throws AppError `invalid` when every row was refused */
  async function ingest(user: Principal, batch: Batch, nowMs: number): Promise<IngestAnswer> {
    const wanted = batch.series();
    const workflows = new Set([...wanted.values()].flatMap(({ workflowId }) => workflowId ?? []));
    const readable = workflows.size === 0 ? workflows : await series.readableWorkflows(user, [...workflows]);
    const isAllowed = ({ workflowId }: SeriesName) => workflowId === null || readable.has(workflowId);
    const numbers = await known(user, new Map([...wanted].filter(([, name]) => isAllowed(name))));
    const { columns, answer } = batch.settled(numbers, (name, one, atUs) => {
      if (!isAllowed(name)) return `there is no workflow ${name.workflowId}`;
      if (!one)
        return `you have ${SERIES_OF_USER} series, the most there may be: send fewer values of tags and ids`;
      const days = one.retentionDays ?? keepDays;
      if (days > 0 && atUs < nowMs * 1_000 - days * DAY_US)
        return `timestamp is older than its series is kept (${days} days)`;
      return undefined;
    });
    return answer(await writer.write(columns));
  }

  return {
    /**
     * Stores what is right of a batch.
     * @throws AppError `invalid` when nothing is
     */
    async ingest(user: Principal, batch: Batch, nowMs: number): Promise<IngestAnswer> {
      const answer = await ingest(user, batch, nowMs).catch((error) => {
        if (!(error instanceof SeriesGone)) throw error;
        remembered.clear();
        return ingest(user, batch, nowMs);
      });
      if (answer.refused === 0 || answer.accepted + answer.duplicates > 0) return answer;
      const [first] = answer.rejected;
      throw new AppError('invalid', `Every row was refused. Row ${first?.row}: ${first?.problem}.`, {
        errors: answer.rejected.map(({ row, problem }) => ({ path: `/${row}`, message: problem })),
      });
    },
    /** A series is kept for longer or shorter from now on. */
    forget: () => remembered.clear(),
  };
}

export type Ingest = ReturnType<typeof createIngest>;
