import type { VerbImplementation } from '../../activities/platform/neosyntis/verbs.ts';
import { readConfig } from '../../config.ts';
import { createKnownSecrets } from '../../drivers/secrets/known.ts';
import { readKeys } from '../../keys.ts';
import { createLogger } from '../../logs.ts';
import { runProcess } from '../../process.ts';
import { startPlatform } from '../../workers/platform-worker.ts';
import { brief, nothing } from './register.ts';

/** The platform worker with the verbs of the benchmarks. */
const config = readConfig(process.env);
const known = createKnownSecrets();
const log = createLogger('platform', config.LOG_LEVEL, known.mask);
const echo: VerbImplementation = async ({ args }) => args;

await runProcess(log, () =>
  startPlatform({
    ...{ config, keys: readKeys(config), known, log },
    verbs: { [nothing.name]: echo, [brief.name]: echo },
  }),
);
