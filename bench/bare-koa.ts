import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import Koa from 'koa';
import { Pool } from 'pg';

/**
 * What bench/read.ts compares with, in a process of its own: Koa, its router and one statement by `pg`, as one writes
 * it or, at `/prepared`, prepared once a connection. No login, no checks, no log. It says its port over IPC and ends
 * with its parent.
 */
const { DATABASE_URL, STATEMENT = '', PATH_TEMPLATE = '' } = process.env;
const pool = new Pool({ connectionString: DATABASE_URL, max: 20 });
const router = new Router();
for (const [prefix, query] of [
  ['', { text: STATEMENT }],
  ['/prepared', { text: STATEMENT, name: 'read' }],
] as const)
  router.get(prefix + PATH_TEMPLATE, async (ctx) => {
    const { rows } = await pool.query({ ...query, values: [ctx.params.id] });
    ctx.body = rows[0];
  });
const server = new Koa()
  .use(router.routes())
  .listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port })); // it listens on TCP
process.once('disconnect', () => process.exit());
