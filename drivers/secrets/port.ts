import type { Json } from '../../domain/wire.ts';

/** Gives a run's secrets to the process that runs one of its steps. */
export interface SecretSource {
  /**
   * The values of those names that the run's owner has; the others are left out.
   * @throws Error when they cannot be had now.
   */
  resolve(runId: string, names: readonly string[]): Promise<Record<string, Json>>;
}
