import { type AddressInfo, connect } from 'node:net';
import { createInterface } from 'node:readline';
import { WebSocketServer } from 'ws';

/** The least that can be done: each line that comes over TCP goes to all clients by itself. */
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
server.on('listening', () => process.send?.((server.address() as AddressInfo).port)); // it listens on TCP
const source = connect(Number(process.argv[2]), '127.0.0.1');
source.setNoDelay(true);
createInterface({ input: source }).on('line', (line) => {
  for (const client of server.clients) client.send(line);
});
