import { readFileSync } from 'node:fs';
import { readConfig } from '../config.ts';
import { readKeys } from '../keys.ts';
import { createLogger } from '../logs.ts';
import { runProcess } from '../process.ts';
import { startApi } from './server.ts';

const config = readConfig(process.env);
const log = createLogger('api', config.LOG_LEVEL);

await runProcess(log, () =>
  startApi({
    config,
    keys: readKeys(config),
    tls:
      config.VAREON_TLS_CERT && config.VAREON_TLS_KEY
        ? { cert: readFileSync(config.VAREON_TLS_CERT), key: readFileSync(config.VAREON_TLS_KEY) }
        : undefined,
    log,
  }),
);
