import type { Config } from '../config.ts';

/** Where processes of this machine reach the API. */
export function apiUrlOf(config: Config): string {
  const everywhere = ['0.0.0.0', '::'];
  const bind = everywhere.includes(config.VAREON_BIND) ? '127.0.0.1' : config.VAREON_BIND;
  const host = bind.includes(':') ? `[${bind}]` : bind;
  return `${config.VAREON_TLS_CERT ? 'https' : 'http'}://${host}:${config.VAREON_PORT}`;
}
