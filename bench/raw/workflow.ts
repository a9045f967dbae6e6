import { proxyActivities } from '@temporalio/workflow';

const { nothing } = proxyActivities<{ nothing(input: unknown): Promise<unknown> }>({
  startToCloseTimeout: '1 minute',
});

/** What one would write by hand: three activities, each with the output of the one before. */
export async function threeActivities(input: unknown): Promise<unknown> {
  let data = input;
  for (let step = 0; step < 3; step++) data = await nothing(data);
  return data;
}
