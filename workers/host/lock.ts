import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';

/**
 * One process a credential on this machine, held by the kernel: an abstract Unix socket (unix(7)) goes with its
 * process however that ends. Its name is made from the credential, so nobody else can take it before us. Where
 * there are no abstract sockets it is a socket file, which a dead process leaves and nobody answers on.
 * @throws Error when another process has it.
 */
export async function lockCredential(
  { name, credential }: { name: string; credential: string },
  dataDir: string,
): Promise<{ release(): void }> {
  const id = createHash('sha256').update(`vareon host lock ${credential}`).digest('hex').slice(0, 32);
  const isAbstract = process.platform === 'linux';
  const path = isAbstract ? `\0vareon-host-${id}` : join(dataDir, 'host.sock');
  let server = await listen(path);
  if (!server && !isAbstract && !(await answers(path))) {
    rmSync(path, { force: true });
    server = await listen(path);
  }
  if (!server)
    throw new Error(
      `the host "${name}" runs on this machine already: stop that process, or enrol this one under a name of its own`,
    );
  server.unref();
  return { release: () => void server.close() };
}

function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(path, () => resolve(server));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
