import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Route, route } from '../http/route.ts';

/** Asked at each scrape. */
export interface MetricSources {
  openSockets(): number;
  runsByStatus(): Promise<Record<string, number>>;
  /** Since this process started. */
  eventsPublished(): number;
  /** Since this process started. */
  eventsDropped(): number;
  /** Rows that retention deleted, by kind, since the installation was made. */
  rowsPruned(): Promise<Record<string, number>>;
}

export interface Metrics {
  observe(route: string, method: string, status: number, seconds: number): void;
  /** In Prometheus' text format. */
  text(): Promise<string>;
  contentType: string;
}

/** Metrics of this process in a registry of their own. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from a request to its answer',
    labelNames: ['route', 'method', 'status'],
    // A read takes milliseconds; a trigger that waits for its run up to a minute.
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
    registers,
  });
  new Gauge({
    name: 'vareon_websockets_open',
    help: 'WebSockets that are open',
    registers,
    collect() {
      this.set(sources.openSockets());
    },
  });
  new Gauge({
    name: 'vareon_runs',
    help: 'Runs of workflows in the whole installation',
    labelNames: ['status'],
    registers,
    async collect() {
      const counts = await sources.runsByStatus();
      // A status that nothing has any more is not in the answer.
      this.reset();
      for (const [status, count] of Object.entries(counts)) this.set({ status }, count);
    },
  });
  new Counter({
    name: 'vareon_pruned_rows_total',
    help: 'Rows that retention deleted in the whole installation',
    labelNames: ['what'],
    registers,
    async collect() {
      const totals = await sources.rowsPruned();
      this.reset();
      for (const [what, count] of Object.entries(totals)) this.inc({ what }, count);
    },
  });
  total(
    'vareon_events_published_total',
    'Messages that this process gave to the bus',
    sources.eventsPublished,
  );
  total(
    'vareon_events_dropped_total',
    'Events that this process could not give to the bus',
    sources.eventsDropped,
  );

  /** A count that somebody else keeps. */
  function total(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  return {
    observe(route, method, status, seconds) {
      // The router spells parameters `:id`, the public contract `{id}`.
      requests.observe({ route: route.replaceAll(/:(\w+)/g, '{$1}'), method, status }, seconds);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

const example = `# HELP vareon_websockets_open WebSockets that are open
# TYPE vareon_websockets_open gauge
vareon_websockets_open 3
`;

export const createMetricsRoutes = ({ metrics }: { metrics: Metrics }): Route[] => [
  route({
    method: 'GET',
    path: '/metrics',
    access: 'system:metrics:read',
    summary: 'Metrics of this API process for Prometheus',
    description: 'Prometheus sends an API token with this permission: `authorization: {credentials: …}`.',
    answers: { 200: { description: 'Prometheus text', type: 'text/plain', example } },
    handler: async () => ({
      status: 200,
      headers: { 'Content-Type': metrics.contentType },
      body: await metrics.text(),
    }),
  }),
];
