import { join } from 'node:path';
import { openFolderStore } from './folder.ts';
import type { BlobStore } from './port.ts';

export interface StorageSettings {
  dataDir: string;
  /** A folder, or `s3://bucket/prefix?endpoint=…&region=…`. */
  VAREON_STORAGE?: string;
  AWS_ACCESS_KEY_ID?: string;
  AWS_SECRET_ACCESS_KEY?: string;
}

/** The store that the settings name, ready; the folder `blobs` of the data folder when they name none. */
export async function openStorage(settings: StorageSettings): Promise<BlobStore> {
  const setting = settings.VAREON_STORAGE;
  const url = setting?.startsWith('s3://') ? new URL(setting) : undefined;
  if (!url) return openFolderStore(setting ?? join(settings.dataDir, 'blobs'));
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = settings;
  const path = url.pathname.replace(/^\/+|\/+$/g, '');
  // 35 MB of memory for each process that loads it.
  const { openS3Store } = await import('./s3.ts');
  return openS3Store({
    bucket: url.hostname,
    prefix: path === '' ? '' : `${path}/`,
    endpoint: url.searchParams.get('endpoint') ?? undefined,
    region: url.searchParams.get('region') ?? undefined,
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
  });
}

/** What is wrong with a setting, in words; nothing when it is good. */
export function storageProblem(setting: string): string | undefined {
  if (!/^[a-z0-9]+:\/\//i.test(setting)) return undefined;
  const url = URL.parse(setting);
  if (url?.protocol !== 's3:' || !/^[a-z0-9][a-z0-9.-]{2,62}$/.test(url.hostname))
    return `"${setting}" is neither a folder nor s3://bucket/prefix?endpoint=…&region=…`;
  if (url.username || url.password) return 'keys belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  const unknown = [...url.searchParams.keys()].filter((name) => name !== 'endpoint' && name !== 'region');
  if (unknown.length > 0) return `"${unknown[0]}" is not known; endpoint and region are`;
  const endpoint = url.searchParams.get('endpoint');
  if (endpoint !== null && !/^https?:\/\/[^/]+$/.test(endpoint))
    return `its endpoint "${endpoint}" is not a URL such as http://127.0.0.1:9000`;
  if (!/^(\/[A-Za-z0-9._-]+)*\/?$/.test(url.pathname))
    return `its prefix "${url.pathname}" has other characters than letters, digits, ".", "_", "-" and "/"`;
  return undefined;
}
