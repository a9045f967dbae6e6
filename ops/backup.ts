import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfig } from '../config.ts';
import { runCommand } from './command.ts';
import { makeBackup } from './make-backup.ts';

const usage = `Usage: npm run backup -- [--to FILE] [--recipient age1…]… [--passphrase-file FILE]

Makes one archive of the installation in VAREON_DATA_DIR, while it runs or not. It holds the keys: keep it as you
keep a password, or encrypt it to a public key (--recipient) or with a passphrase.`;

/** Entry point of `npm run backup`. */
await runCommand(usage, async (signal) => {
  const { values } = parseArgs({
    options: {
      to: { type: 'string' },
      recipient: { type: 'string', multiple: true, default: [] },
      'passphrase-file': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return usage;
  const locks = { recipients: values.recipient, passphraseFile: values['passphrase-file'] };
  const isSealed = locks.recipients.length > 0 || locks.passphraseFile !== undefined;
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const target = resolve(values.to ?? `vareon-backup-${stamp}.tar.gz${isSealed ? '.age' : ''}`);
  const startedAt = performance.now();
  const { manifest, bytes } = await makeBackup({
    config: readConfig(process.env),
    env: process.env,
    target,
    locks,
    signal,
  });
  const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
  return [
    `Backed up to ${target}`,
    `  ${(bytes / 1024 / 1024).toFixed(1)} MiB, ${manifest.tables.length} tables with ${rows} rows, ${manifest.parts.length} parts, ${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
    ...(isSealed ? [] : ['  It holds the keys of this installation and is not encrypted.']),
    ...manifest.not_covered.map((sentence) => `  Not in it: ${sentence}`),
  ].join('\n');
});
