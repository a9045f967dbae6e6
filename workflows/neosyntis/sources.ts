import { proxyActivities } from '@temporalio/workflow';
import type { SourceActivities } from '../../activities/platform/neosyntis/sources.ts';
import { OUTBOUND_QUEUE } from '../../domain/names.ts';
import type { Endpoint } from '../../domain/neosyntis/dsl/endpoint.ts';
import type { ReadSource } from '../../domain/neosyntis/sources.ts';

/** Somebody waits for it: a server that has not answered by then is away. It changes nothing, so it may be repeated. */
const { fetchSource } = proxyActivities<SourceActivities>({
  taskQueue: OUTBOUND_QUEUE,
  scheduleToCloseTimeout: '25 seconds',
  startToCloseTimeout: '15 seconds',
  heartbeatTimeout: '5 seconds',
  retry: { initialInterval: 200, maximumAttempts: 3 },
});

/** Reads what a definition names that is elsewhere, when the definition is saved. */
export const readSource = (ownerId: string, endpoint: Endpoint): Promise<ReadSource> =>
  fetchSource(ownerId, endpoint);
