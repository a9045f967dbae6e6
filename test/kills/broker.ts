import { createServer } from 'node:net';
import { Aedes } from 'aedes';

/** A message bus in a process of its own, without logins: `node test/kills/broker.ts <port>`. */
const broker = await Aedes.createBroker({ concurrency: 100, connectTimeout: 5_000 });
const server = createServer({ noDelay: true }, broker.handle);
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send?.('ready'));
process.on('disconnect', () => process.exit(0));
