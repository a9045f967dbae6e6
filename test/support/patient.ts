import type { Agent } from 'node:http';
import { type Answer, type Client, createClient, type RequestOptions, until } from './client.ts';

/**
 * A client that does as it is told when a server was not there in time: tries again, where nothing was changed or doing
 * it twice leaves nothing else behind. For installations whose servers nobody takes away; a busy machine may hold them
 * up for longer than an API waits.
 */
export function createPatientClient(baseUrl: string, agent?: Agent): Client {
  const api = createClient(baseUrl, agent);
  return (method, path, options = {}) =>
    until(
      () => api(method, path, options),
      (answer) => !isServerAway(answer) || !mayBeRepeated(method, path, options, answer),
      60_000,
    );
}

const isServerAway = ({ status, text }: Answer): boolean =>
  status === 503 && /Temporal cannot be reached|The database (cannot be reached|is busy)/.test(text);

const mayBeRepeated = (
  method: string,
  path: string,
  { headers }: RequestOptions,
  { text }: Answer,
): boolean =>
  method !== 'POST' ||
  headers?.['Idempotency-Key'] !== undefined ||
  text.includes('nothing was changed') ||
  /\/(cancel|pause|resume|token)$/.test(path);
