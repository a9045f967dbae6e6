import { createRequire } from 'node:module';
import { TestEnvironment } from 'jest-environment-node';

/**
 * Where a file of tests runs. It has what native-modules.ts loads the product by, and shares with that the classes that
 * are asked for by `instanceof`: a context of its own has its own.
 */
export default class Environment extends TestEnvironment {
  override async setup(): Promise<void> {
    await super.setup();
    Object.assign(this.global, { loadNatively: createRequire(import.meta.url), Date, Error, Map, Set });
  }
}
