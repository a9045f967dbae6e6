import { startFauxqs } from 'fauxqs';

export interface S3Server extends AsyncDisposable {
  /** As VAREON_STORAGE has it. */
  setting: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

const BUCKET = 'vareon-test';

/** An S3 server in memory on a free port of loopback, with one bucket. */
export async function startS3Server(): Promise<S3Server> {
  const server = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false });
  server.createBucket(BUCKET);
  return {
    setting: `s3://${BUCKET}/blobs?endpoint=http://127.0.0.1:${server.port}&region=us-east-1`,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
