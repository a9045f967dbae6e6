import { isObject, show } from './json.ts';

/** What happens to a step of which nobody can know whether it had its effect. */
export const unknownPolicies = ['ask', 'fail', 'retry'] as const;
export type UnknownPolicy = (typeof unknownPolicies)[number];

const isPolicy = (value: unknown): value is UnknownPolicy =>
  unknownPolicies.some((policy) => policy === value);

/** What is wrong with `onUnknown` of a metadata, if it is there and something is. */
export function onUnknownProblem(metadata: unknown): string | undefined {
  if (!isObject(metadata) || !Object.hasOwn(metadata, 'onUnknown') || isPolicy(metadata.onUnknown))
    return undefined;
  return `must be ${unknownPolicies.join(', ')}, found ${show(metadata.onUnknown)}`;
}

/** The step's own policy, else the workflow's, else: a person is asked, unless running it twice does no harm. */
export function unknownPolicy(step: unknown, workflow: unknown): UnknownPolicy {
  for (const metadata of [step, workflow])
    if (isObject(metadata) && isPolicy(metadata.onUnknown)) return metadata.onUnknown;
  return isObject(step) && step.idempotent === true ? 'fail' : 'ask';
}
