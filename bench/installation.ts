import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Stack, type StackOptions, startStack } from '../local/stack.ts';
import { createClient } from '../test/support/client.ts';
import { testEnvironment } from '../test/support/stack.ts';

const ADMIN_PASSWORD = 'a bench in the shade';

export interface Installation {
  stack: Stack;
  /** An access token of the administrator. */
  token: string;
  /** Calls a route as the administrator; throws unless it is answered with a 2xx. */
  call<Body>(method: string, path: string, body?: unknown): Promise<Body>;
}

export type InstallationOptions = Partial<Pick<StackOptions, 'env' | 'entryPoints'>>;

/**
 * Gives an installation with the default settings in a folder of its own, all of which is gone in the end. Its
 * servers and workers are processes of their own, as always; what supervises them runs in this one.
 */
export async function withInstallation(
  measure: (installation: Installation) => Promise<void>,
  { env = {}, entryPoints = {} }: InstallationOptions = {},
): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'vareon-bench-'));
  try {
    const stack = await startStack({
      env: { ...(await testEnvironment(dataDir, ADMIN_PASSWORD)), ...env },
      entryPoints,
    });
    try {
      await measure(await enter(stack));
    } finally {
      await stack.close();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function enter(stack: Stack): Promise<Installation> {
  const request = createClient(stack.apiUrl, new Agent({ keepAlive: true }));
  const logIn = async (): Promise<string> => {
    const body = { username: 'admin', password: ADMIN_PASSWORD };
    return (await request('POST', '/api/token', { body })).body.access_token;
  };
  const token = await logIn();
  let current = token;
  return {
    stack,
    token,
    async call(method, path, body) {
      const send = () => request(method, path, { token: current, body });
      let { status, text, body: answer } = await send();
      if (status === 401) {
        // A long bench outlives its token.
        current = await logIn();
        ({ status, text, body: answer } = await send());
      }
      if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${text}`);
      return answer;
    },
  };
}
