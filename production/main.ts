import { parseArgs } from 'node:util';
import { makeSecrets } from './secrets.ts';

/** `npm run secrets -- --host lathe`: makes what docker-compose.yml mounts as secrets. */
const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: 'secrets' },
    host: { type: 'string', multiple: true, default: ['local'] },
  },
});
const hosts = makeSecrets(values.folder, values.host);
console.log(`${values.folder} has all secrets. Hosts that may log in to the bus: ${hosts.join(', ')}.`);
console.log('When the bus runs already: docker compose kill -s HUP bus');
console.log(
  'Keep a copy of the folder apart from the backups of the database: without it those cannot be read.',
);
