import type { AddressInfo } from 'node:net';
import { createApp, createServer } from '../../api/http/app.ts';
import type { Route } from '../../api/http/route.ts';
import { permissionsOf, type Role, roles } from '../../domain/auth/permissions.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { createLogger } from '../../logs.ts';

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  body: any;
}

export interface Served extends AsyncDisposable {
  url: string;
  call(method: string, path: string, role?: Role): Promise<Answer>;
}

export const log = createLogger('test', 'silent');

export const userOf = (role: Role): Principal => ({
  userId: `019a9b4c-5d6e-7f80-8a1b-00000000000${roles.indexOf(role)}`,
  username: role,
  role,
  isAdmin: role === 'admin',
  permissions: permissionsOf({ role, is_verified: true, granted_permissions: [] }),
  credential: { kind: 'session', sessionId: '019a9b4c-5d6e-7f80-8a1b-2c3d4e5f6071' },
});

/** An API with only these routes, where a bearer token is the name of a role. */
export async function serve(
  routes: readonly Route[],
  observe: (route: string, method: string, status: number, seconds: number) => void = () => {},
): Promise<Served> {
  const authenticator = {
    async authenticate(authorization: string) {
      const role = roles.find((name) => authorization === `Bearer ${name}`);
      if (!role) throw new AppError('unauthenticated', 'Unknown token.');
      return userOf(role);
    },
  };
  const app = createApp({
    routes,
    authenticator,
    authenticateHost: async () => undefined,
    audit: async () => {},
    log,
    corsOrigins: [],
    during: (work) => work(),
    observe,
  });
  const server = createServer(undefined, app.callback());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
  return {
    url,
    async call(method, path, role) {
      const response = await fetch(url + path, {
        method,
        headers: role ? { authorization: `Bearer ${role}` } : {},
      });
      const text = await response.text();
      const isJson = /json/.test(response.headers.get('content-type') ?? '');
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: isJson && text ? JSON.parse(text) : undefined,
      };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
