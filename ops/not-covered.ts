import type { Config } from '../config.ts';
import type { StoreSnapshot } from './temporal-store.ts';

/** What this installation keeps elsewhere, in sentences for whoever makes backups. */
export function notCovered(config: Config, store: StoreSnapshot | undefined): string[] {
  const sentences: string[] = [];
  if (config.TEMPORAL_ADDRESS)
    sentences.push(
      `Temporal at ${config.TEMPORAL_ADDRESS} keeps its own database: back it up there (docs/operations.md has the order and the commands).`,
    );
  else if (!store) sentences.push('There is no Temporal store in the data folder.');
  if (config.VAREON_STORAGE?.startsWith('s3://'))
    sentences.push(
      `Large values are in ${config.VAREON_STORAGE.split('?')[0]}: keep versions or copies there.`,
    );
  if (config.BUS_URL) sentences.push('The bus broker is yours; it holds nothing that is not made again.');
  if (config.VAREON_TLS_CERT) sentences.push(`TLS: ${config.VAREON_TLS_CERT} and its key.`);
  sentences.push('Worker hosts on other machines keep the output of the last 24 hours until it is fetched.');
  return sentences;
}
