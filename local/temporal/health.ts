import { connect } from 'node:http2';

const SERVICE = 'temporal.api.workflowservice.v1.WorkflowService';
const SERVING = Buffer.from([0x08, 0x01]);
const WITHIN_MS = 2_000;

/**
 * Whether a Temporal server at `host:port` takes requests: gRPC's health check (grpc/health/v1/health.proto),
 * written out so that the supervisor needs no gRPC library.
 */
export function isServing(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const done = (serving: boolean) => {
      clearTimeout(timer);
      session.destroy();
      resolve(serving);
    };
    const timer = setTimeout(() => done(false), WITHIN_MS);
    session.on('error', () => done(false));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const answer: Buffer[] = [];
    stream.on('error', () => done(false));
    stream.on('data', (chunk: Buffer) => answer.push(chunk));
    stream.on('end', () => done(Buffer.concat(answer).subarray(FRAME_HEADER).equals(SERVING)));
    stream.end(frame(Buffer.from([0x0a, SERVICE.length, ...Buffer.from(SERVICE)])));
  });
}

const FRAME_HEADER = 5;

/** gRPC's length-prefixed message: not compressed, four bytes of length. */
function frame(message: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}
