import { readConfig } from '../config.ts';
import { createKnownSecrets } from '../drivers/secrets/known.ts';
import { readKeys } from '../keys.ts';
import { createLogger } from '../logs.ts';
import { runProcess } from '../process.ts';
import { startPlatform } from './platform-worker.ts';

const config = readConfig(process.env);
const known = createKnownSecrets();
const log = createLogger('platform', config.LOG_LEVEL, known.mask);

await runProcess(log, () => startPlatform({ config, keys: readKeys(config), known, log }));
