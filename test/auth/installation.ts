import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type AccountAuthenticator, createAuthenticator } from '../../api/auth/authenticator.ts';
import { createAuthRoutes } from '../../api/auth/routes.ts';
import { seedAdministrator } from '../../api/auth/seed.ts';
import { createApp, createServer } from '../../api/http/app.ts';
import type { Ownership } from '../../db/auth/users.ts';
import { type Database, migrate, openDatabase } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import { createAuditLog } from '../../db/system/audit.ts';
import { createOutbox, type Outbox } from '../../db/system/outbox.ts';
import { createEnvelope } from '../../drivers/secrets/envelope.ts';
import { createLogger } from '../../logs.ts';
import { type Client, createClient } from '../support/client.ts';

export const ADMIN_PASSWORD = 'seven quiet herons';
export const PASSWORD = 'a long walk to the sea';

export interface Installation extends AsyncDisposable {
  api: Client;
  url: string;
  /** Another process of the same API, which shares only the database. */
  replica: Client;
  authenticator: AccountAuthenticator;
  database: Database;
  outbox: Outbox;
  keys: { jwt: Buffer; encryption: Buffer };
  adminToken: string;
  startedMails: string[];
  logIn(username: string, password?: string): Promise<{ access_token: string; refresh_token: string }>;
  /** A verified user with this role, logged in. */
  newUser(role?: string, changes?: object): Promise<TestUser>;
  /** The token in the newest mail to an address. */
  mailedToken(to: string): Promise<string>;
  sql<Row>(statement: string, params?: unknown[]): Promise<Row[]>;
}

export interface TestUser {
  id: string;
  username: string;
  email: string;
  token: string;
  refreshToken: string;
}

export interface InstallationOptions {
  registration?: 'open' | 'off';
  ownership?: Ownership;
}

const ownsNothing: Ownership = { ownedBy: async () => 0, reassign: async () => {} };

/** An API with only these routes on a database of its own. */
export async function startInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const log = createLogger('test', 'silent');
  const { database, drop } = await newDatabase();
  const keys = { jwt: randomBytes(32), encryption: randomBytes(32) };
  const outbox = createOutbox(database, createEnvelope([keys.encryption]));
  const audit = createAuditLog(database);
  const startedMails: string[] = [];
  await seedAdministrator(database, ADMIN_PASSWORD);

  const serve = async () => {
    const config = {
      ACCESS_TOKEN_EXPIRE_MINUTES: 10,
      VERIFICATION_TOKEN_EXPIRE_MINUTES: 60,
      VAREON_REGISTRATION: options.registration ?? 'off',
    } as const;
    const authenticator = createAuthenticator({ database, keys, config });
    const routes = createAuthRoutes({
      database,
      config,
      publicUrl: 'http://vareon.test',
      authenticator,
      outbox,
      ownership: options.ownership ?? ownsNothing,
      startMail: async (mailId) => startedMails.push(mailId),
      audit: audit.write,
      log,
    });
    const app = createApp({
      routes,
      authenticator,
      authenticateHost: async () => undefined,
      audit: audit.write,
      log,
      corsOrigins: [],
      during: (work) => work(),
    });
    const server = createServer(undefined, app.callback());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const url = `http://127.0.0.1:${port}`;
    return { server, authenticator, url, client: createClient(url) };
  };
  const [first, second] = [await serve(), await serve()];
  const api = first.client;

  const logIn: Installation['logIn'] = async (username, password = PASSWORD) => {
    const { status, body } = await api('POST', '/api/token', { body: { username, password } });
    if (status !== 200) throw new Error(`login of ${username}: ${status} ${JSON.stringify(body)}`);
    return body;
  };
  const adminToken = (await logIn('admin', ADMIN_PASSWORD)).access_token;

  const mailedToken: Installation['mailedToken'] = async (to) => {
    const { body: mails } = await api('GET', '/api/outbox', { token: adminToken });
    const { id } = mails.find((mail: { to: string }) => mail.to === to);
    const { body: mail } = await api('GET', `/api/outbox/${id}`, { token: adminToken });
    return /(?:token=|^)([A-Za-z0-9_-]{22})$/m.exec(mail.text)?.[1] ?? '';
  };

  const newUser: Installation['newUser'] = async (role = 'viewer', changes = {}) => {
    const username = `u${randomBytes(6).toString('hex')}`;
    const email = `${username}@example.org`;
    const { body: user } = await api('POST', '/api/register', {
      token: adminToken,
      body: { username, email, password: PASSWORD },
    });
    const change = { role, is_verified: true, ...changes };
    const { status, text } = await api('PUT', `/api/users/${user.id}`, { token: adminToken, body: change });
    if (status !== 200) throw new Error(`change of a new user: ${status} ${text}`);
    const tokens = await logIn(username);
    return { id: user.id, username, email, token: tokens.access_token, refreshToken: tokens.refresh_token };
  };

  return {
    api,
    url: first.url,
    replica: second.client,
    authenticator: first.authenticator,
    database,
    outbox,
    keys,
    adminToken,
    startedMails,
    logIn,
    newUser,
    mailedToken,
    sql: (statement, params) => rows(database.em, statement, params),
    async [Symbol.asyncDispose]() {
      for (const { server } of [first, second]) await new Promise((resolve) => server.close(resolve));
      await drop();
    },
  };
}

/** A migrated database on the PostgreSQL server of TEST_DATABASE_URL, whose user may create databases. */
export async function newDatabase(): Promise<{ database: Database; drop(): Promise<void> }> {
  const server = process.env.TEST_DATABASE_URL;
  if (!server) throw new Error('TEST_DATABASE_URL is not set: give the URL of a PostgreSQL server for tests');
  const log = createLogger('test', 'silent');
  const name = `auth_test_${randomBytes(6).toString('hex')}`;
  // A slow machine takes its time for it.
  const connectWithinMs = 60_000;
  const control = await openDatabase({ databaseUrl: server, poolSize: 1, connectWithinMs, log });
  await rows(control.em, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const database = await openDatabase({ databaseUrl: url.href, poolSize: 10, connectWithinMs, log });
  await migrate(database);
  const drop = async () => {
    await database.close();
    await rows(control.em, `drop database ${name} with (force)`);
    await control.close();
  };
  return { database, drop };
}
