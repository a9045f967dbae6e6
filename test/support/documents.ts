import { isEnded } from '../../domain/neosyntis/runs.ts';
import type { Run, TestUser, World } from './world.ts';

/** Sends a whole document with these parts; nobody is asked about steps whose outcome is unknown. */
export const importDocument = (world: World, user: TestUser, use: object, list: object[]) =>
  world.api('POST', '/api/neosyntis/workflows/import', {
    token: user.token,
    body: {
      document: {
        dsl: '1.0.3',
        namespace: 'test',
        name: 'document',
        version: '0.1.0',
        metadata: { onUnknown: 'fail' },
      },
      ...(Object.keys(use).length === 0 ? {} : { use }),
      do: list,
    },
  });

/** Saves a document and runs it to its end. */
export async function runDocument(
  world: World,
  user: TestUser,
  { use = {}, list, input = null }: { use?: object; list: object[]; input?: unknown },
): Promise<Run> {
  const saved = await importDocument(world, user, use, list);
  if (saved.status !== 201) throw new Error(saved.text);
  const { body } = await world.api('POST', `/api/neosyntis/workflows/${saved.body.id}/trigger?wait=30`, {
    token: user.token,
    body: { input },
  });
  return world.untilRun(user, body.run_id, ({ status }) => isEnded(status));
}
