import { createHash } from 'node:crypto';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const tests = `${join(root, 'test')}/`;
const require = createRequire(import.meta.url);

/** What Jest says of what becomes of the code. */
interface Wanted {
  supportsStaticESM: boolean;
  supportsDynamicImport: boolean;
}

/**
 * How Jest loads what is no test: by Node, once for each process of it. Jest itself would compile and evaluate all that
 * a file imports anew for each file of tests, which took longer than most of them.
 */
export default {
  process: (source: string, path: string, wanted: Wanted): { code: string } => ({
    code: codeOf(source, path, wanted),
  }),
  // What Jest keeps between runs it keeps by this.
  getCacheKey: (source: string, path: string, wanted: Wanted): string =>
    createHash('sha256')
      .update(path)
      .update('\0')
      .update(codeOf(source, path, wanted))
      .digest('hex'),
};

function codeOf(source: string, path: string, { supportsStaticESM, supportsDynamicImport }: Wanted): string {
  // Without dynamic imports it is what Jest loads for itself, such as global-setup.ts, and not in a file of tests.
  if (path.startsWith(tests) || !supportsDynamicImport)
    return path.endsWith('.ts') ? stripTypeScriptTypes(source) : source;
  return supportsStaticESM ? esModule(path) : commonJsModule(path);
}

/** Of environment.ts. */
const nativelyLoaded = (path: string): string => `loadNatively(${JSON.stringify(path)})`;

const namesOf = (path: string): string[] => Object.keys(require(path) as object);

/** A module that has the exports of the one that Node loads. */
function esModule(path: string): string {
  const line = (name: string, at: number) =>
    `const export${at} = native[${JSON.stringify(name)}]; export { export${at} as ${JSON.stringify(name)} };`;
  return [`const native = ${nativelyLoaded(path)};`, ...namesOf(path).map(line)].join('\n');
}

/** Jest reads in the source which exports there are, and needs not see that they are made. */
function commonJsModule(path: string): string {
  const names = namesOf(path).map((name) => `exports[${JSON.stringify(name)}] =`);
  return `module.exports = ${nativelyLoaded(path)};\n0 && (${names.join(' ')} 0);`;
}
