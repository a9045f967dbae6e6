import { expect, test } from '@jest/globals';
import { createHostRoutes } from '../../api/system/hosts.ts';
import { createMetrics, createMetricsRoutes } from '../../api/system/metrics.ts';
import { serve } from './serve.ts';

const hosts = { list: async () => [], remove: async () => {} };

test('metrics count requests by route, method and status, and ask their sources at each scrape', async () => {
  let sockets = 3;
  let published = 10;
  let runs: Record<string, number> = { running: 2, failed: 0 };
  const metrics = createMetrics({
    openSockets: () => sockets,
    runsByStatus: async () => runs,
    eventsPublished: () => published,
    eventsDropped: () => 1,
    rowsPruned: async () => ({ runs: 4 }),
  });
  await using api = await serve(
    [...createMetricsRoutes({ metrics }), ...createHostRoutes({ hosts })],
    metrics.observe,
  );
  await api.call('GET', '/api/hosts', 'viewer');
  await api.call('DELETE', '/api/hosts/one', 'admin');
  await api.call('DELETE', '/api/hosts/two', 'admin');
  await api.call('GET', '/nowhere/at/all');

  const { status, text, headers } = await api.call('GET', '/metrics', 'admin');
  expect(status).toBe(200);
  expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const count = 'http_request_duration_seconds_count';
  expect(text).toContain(`${count}{route="/api/hosts",method="GET",status="200"} 1\n`);
  expect(text).toContain(`${count}{route="/api/hosts/{name}",method="DELETE",status="204"} 2\n`);
  expect(text).toContain(`${count}{route="unmatched",method="GET",status="404"} 1\n`);
  expect(text).toContain('vareon_websockets_open 3\n');
  expect(text).toContain('vareon_runs{status="running"} 2\n');
  expect(text).toContain('vareon_runs{status="failed"} 0\n');
  expect(text).toContain('vareon_events_published_total 10\n');
  expect(text).toContain('vareon_events_dropped_total 1\n');
  expect(text).toContain('vareon_pruned_rows_total{what="runs"} 4\n');
  expect(text).toMatch(/^process_resident_memory_bytes \d+/m);
  expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);

  sockets = 0;
  published = 12;
  runs = { failed: 2 };
  const { text: later } = await api.call('GET', '/metrics', 'admin');
  expect(later).toContain('vareon_websockets_open 0\n');
  expect(later).toContain('vareon_events_published_total 12\n');
  expect(later).toContain('vareon_runs{status="failed"} 2\n');
  expect(later).not.toContain('vareon_runs{status="running"}');
});

test('two of them in one process do not meet, and a viewer sees neither', async () => {
  const sources = {
    openSockets: () => 0,
    runsByStatus: async () => ({}),
    eventsPublished: () => 0,
    eventsDropped: () => 0,
    rowsPruned: async () => ({}),
  };
  const [one, other] = [createMetrics(sources), createMetrics(sources)];
  one.observe('/only/here', 'GET', 200, 0.1);
  expect(await one.text()).toContain('/only/here');
  expect(await other.text()).not.toContain('/only/here');
  await using api = await serve(createMetricsRoutes({ metrics: one }));
  expect((await api.call('GET', '/metrics')).status).toBe(401);
  expect((await api.call('GET', '/metrics', 'viewer')).status).toBe(403);
});
