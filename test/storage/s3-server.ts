import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from '@20minutes/s3rver';

export interface S3Server extends AsyncDisposable {
  /** As VAREON_STORAGE has it. */
  setting: string;
  endpoint: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

export const BUCKET = 'vareon-test';

/** A real S3 server on a free port of loopback, with one bucket. */
export async function startS3Server(): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), 'vareon-s3-'));
  const s3 = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    // It leaves out the slash after the bucket's name, which the SDK signs: no list would have a right signature.
    allowMismatchedSignatures: true,
    directory,
    configureBuckets: [{ name: BUCKET, configs: [] }],
  });
  const { port } = await s3.run();
  const endpoint = `http://127.0.0.1:${port}`;
  return {
    endpoint,
    setting: `s3://${BUCKET}/blobs?endpoint=${endpoint}&region=us-east-1`,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    async [Symbol.asyncDispose]() {
      s3.httpServer.closeAllConnections();
      await s3.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
