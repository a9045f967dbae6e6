import fc from 'fast-check';
import type { TestUser, World } from '../support/world.ts';
import { someCase } from './arbitrary-documents.ts';
import { difference, expected, onPlatform } from './compare.ts';

export interface Campaign {
  /** Documents that both ran. */
  compared: number;
  /** Documents that do not decide what they do, or take long. */
  leftOut: number;
  failed: number;
  tasks: number;
  kinds: Record<string, number>;
  differences: { seed: number; report: string }[];
}

/** The same document of the same seed, whoever draws it. */
const ONE = { numRuns: 1, unbiased: true } as const;

/** How long a counterexample is made smaller. */
const SHRINK_MS = 60_000;

/**
 * Runs random documents on the platform and by the reference; each seed is one document, so that a difference is found
 * again by its seed alone.
 */
export async function compareMany(
  world: World,
  options: { documents: number; seed: number; atOnce?: number; onDifference?: (report: string) => void },
): Promise<Campaign> {
  const { documents, atOnce = 16 } = options;
  let user: Promise<TestUser> = world.newUser('operator');
  const result: Campaign = { compared: 0, leftOut: 0, failed: 0, tasks: 0, kinds: {}, differences: [] };
  let seed = options.seed;
  let begun = 0;
  const worker = async () => {
    while (begun < documents && result.differences.length < 20) {
      const own = seed++;
      const [made] = fc.sample(someCase, { ...ONE, seed: own });
      if (!made) throw new Error('fast-check made nothing');
      const reference = await expected(made);
      if (!reference) {
        result.leftOut += 1;
        continue;
      }
      begun += 1;
      // A login is for ten minutes, and the time that checking one user's definitions takes is limited.
      if (begun % 100 === 0) user = world.newUser('operator');
      const seen = await onPlatform(world.api, await user, made).then(
        (run) => difference(reference, run),
        (error: unknown) => String(error),
      );
      result.compared += 1;
      result.tasks += reference.steps.length;
      if (reference.error) result.failed += 1;
      for (const kind of kindsIn(JSON.stringify(made.document)))
        result.kinds[kind] = (result.kinds[kind] ?? 0) + 1;
      if (seen === undefined) continue;
      const report = `seed ${own}\n${seen}\n${await smaller(world, await user, own)}`;
      result.differences.push({ seed: own, report });
      options.onDifference?.(report);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return result;
}

/** The smallest document found that differs, too. */
async function smaller(world: World, user: TestUser, seed: number): Promise<string> {
  const property = fc.asyncProperty(someCase, async (made) => {
    const reference = await expected(made);
    if (!reference) return;
    const seen = await onPlatform(world.api, user, made).then(
      (run) => difference(reference, run),
      (error: unknown) => String(error),
    );
    if (seen !== undefined) throw new Error(`${seen}\n${JSON.stringify(made, null, 1)}`);
  });
  const details = await fc.check(property, { ...ONE, seed, interruptAfterTimeLimit: SHRINK_MS });
  const error =
    details.errorInstance instanceof Error ? details.errorInstance.message : 'it did not differ again';
  return `after ${details.numShrinks} steps of making it smaller:\n${error}`;
}

const keywords = [
  'set',
  'do',
  'for',
  'while',
  'switch',
  'fork',
  'compete',
  'try',
  'retry',
  'raise',
  'wait',
  'then',
  'export',
];
const kindsIn = (text: string) => keywords.filter((keyword) => text.includes(`"${keyword}":`));
