import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfig } from '../config.ts';
import { runCommand } from './command.ts';
import { makeRestore } from './make-restore.ts';
import { Problem } from './problem.ts';

const usage = `Usage: npm run restore -- FILE [--identity FILE] [--passphrase-file FILE]

Makes an installation from a backup, in VAREON_DATA_DIR, which must be empty or not there (and so must the database,
when DATABASE_URL names one). Keys go to VAREON_KEYS_DIR and large values to VAREON_STORAGE, if those are set. Then:
npm start.`;

/** Entry point of `npm run restore`. */
await runCommand(usage, async (signal) => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      identity: { type: 'string' },
      'passphrase-file': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return usage;
  const [file, ...more] = positionals;
  if (!file || more.length > 0) throw new Problem(usage);
  const config = readConfig(process.env);
  const startedAt = performance.now();
  const manifest = await makeRestore({
    config,
    file: resolve(file),
    keys: { identityFile: values.identity, passphraseFile: values['passphrase-file'] },
    signal,
  });
  const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
  // Where things were is where they are only when these settings are the same now.
  const wasPlace = ([name, value]: [string, string]) =>
    name === 'VAREON_KEYS_DIR' || (name === 'VAREON_STORAGE' && !value.startsWith('s3://'));
  const settings = Object.entries(manifest.settings)
    .filter((setting) => !wasPlace(setting))
    .map(([name, value]) => `  Set again: ${name}=${value}`);
  const hasBlobs = manifest.parts.some(({ path }) => path.startsWith('blobs/'));
  const storage = config.VAREON_STORAGE?.split('?')[0] ?? join(config.dataDir, 'blobs');
  const hidden = manifest.secret_settings.map(
    (name) => `  Set again: ${name} (its value is not in the backup)`,
  );
  const isElsewhere = config.TEMPORAL_ADDRESS !== undefined;
  return [
    `Restored the backup of ${manifest.created_at} (Vareon ${manifest.version}) into ${config.dataDir}`,
    `  ${manifest.tables.length} tables with ${rows} rows, ${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
    `  The keys are in ${config.keysDir}`,
    ...(hasBlobs ? [`  Large values are in ${storage}`] : []),
    ...settings,
    ...hidden,
    ...(manifest.temporal_namespace !== null && isElsewhere
      ? ['  Not restored: the store of Temporal, since TEMPORAL_ADDRESS names a server.']
      : []),
    ...(manifest.temporal_namespace === null && !isElsewhere
      ? ['  The backup has no Temporal store: runs that were open will end as failed, and say so.']
      : []),
    ...manifest.not_covered.map((sentence) => `  Not in the backup: ${sentence}`),
    'Start it with: npm start',
  ].join('\n');
});
