import type { NotificationRepository } from '../../db/neosyntis/notifications.ts';
import { AppError } from '../../domain/errors.ts';
import { Notifications, NotificationsUpdate } from '../../domain/neosyntis/notifications.ts';
import { notifyWebhook } from '../../domain/neosyntis/verbs/notify-webhook.ts';
import { IdParams } from '../../domain/wire.ts';
import { ok, type Route, route } from '../http/route.ts';

const path = '/api/neosyntis/workflows/{id}/notifications';

/** Who is told of a workflow's runs. */
export const createNotificationRoutes = ({
  notifications,
}: {
  notifications: NotificationRepository;
}): Route[] => [
  route({
    method: 'GET',
    path,
    access: 'neosyntis:workflows:read',
    summary: 'Read who is told of a workflow’s runs',
    params: IdParams,
    answers: { 200: { description: 'without the webhook’s secret', schema: Notifications } },
    errors: ['not_found'],
    handler: async ({ user, params }) => ok(await notifications.get(user, params.id)),
  }),
  route({
    method: 'PUT',
    path,
    access: 'neosyntis:workflows:write',
    summary: 'Say who is told of a workflow’s runs',
    description:
      'Each run tells once of each kind, within about 15 s: by mail through the outbox, by webhook as `notify.webhook` does. It counts for what happens from now on.',
    params: IdParams,
    body: NotificationsUpdate,
    answers: { 200: { description: 'as it is now', schema: Notifications } },
    errors: ['not_found'],
    async handler({ user, params, body }) {
      const { url, secret } = body.webhook ?? {};
      const errors = notifyWebhook
        .check({ url, secret: secret ?? undefined })
        .map((problem) => ({ ...problem, path: `/webhook${problem.path}` }));
      if (errors.length > 0)
        throw new AppError('invalid', `The webhook cannot be used: ${errors[0]?.message}.`, { errors });
      return ok(await notifications.put(user, params.id, body));
    },
  }),
];
