interface TestFile {
  path: string;
}

/**
 * In this order: first what takes longest, so that nobody waits for it alone at the end, and what mostly waits
 * beside what mostly works. Those with a platform of their own measure how soon something is back, so others
 * stand between them. What is not listed is short, and comes after them.
 */
const longOnes = [
  'kills',
  'system/hosts-loss',
  'processes/containment',
  'neosyntis/large-values',
  'outages',
  'device-outages',
  'myntrix/device-hosts',
  'myntrix/device-workflow',
  'neosyntis/schedules',
  'secrets/rotation',
  'system/reconcile',
  'ops/backup',
  'system/hosts-join',
  'myntrix/device-firmware',
  'neosyntis/limits',
  'myntrix/device-grbl',
  'myntrix/device-files',
  'myntrix/device-queue',
  'replicas',
  'neosyntis/definition',
  'ops/archive',
  'ops/places',
  'ops/own-servers',
  'neosyntis/legs',
  'neosyntis/pause',
  'fuzz',
  'neosyntis/http',
  'local/whole',
  'neosyntis/errors',
  'authorization',
];

const placeOf = ({ path }: TestFile): number => {
  const place = longOnes.findIndex((name) => path.endsWith(`/test/${name}.test.ts`));
  return place === -1 ? longOnes.length : place;
};

/** Which test file starts when, the same on every machine: Jest's own order is by what a machine remembers. */
export default class Sequencer {
  sort<File extends TestFile>(files: File[]): File[] {
    return [...files].sort((one, other) => placeOf(one) - placeOf(other) || (one.path < other.path ? -1 : 1));
  }
  allFailedTests<File extends TestFile>(files: File[]): File[] {
    return files;
  }
  cacheResults(): void {}
}
