import { type Static, Type } from 'typebox';
import { literals, nullable, Time } from '../wire.ts';
import { notifyEmail } from './verbs/notify-email.ts';

/** What people are told of a run: how it ended, or that it waits for somebody for too long. */
export const notificationKinds = ['completed', 'failed', 'waiting'] as const;
export type NotificationKind = (typeof notificationKinds)[number];

/** What a run's `waiting` must last until somebody is told, unless the settings say otherwise. */
const USUAL_AFTER_SECONDS = 3_600;

const addresses = Type.Array(notifyEmail.with.properties.to.anyOf[0], { maxItems: 20 });
const after = Type.Integer({
  minimum: 1,
  maximum: 31_536_000,
  description: 'seconds that a run waits for somebody before you are told',
});
const on = Type.Array(literals(notificationKinds), { maxItems: notificationKinds.length });
const url = Type.String({ minLength: 1, maxLength: 10_000 });

export const Notifications = Type.Object(
  {
    on,
    after,
    email: addresses,
    webhook: nullable(Type.Object({ url, has_secret: Type.Boolean() })),
    updated_at: nullable(Time),
  },
  { $id: 'Notifications' },
);
export type Notifications = Static<typeof Notifications>;

export const NotificationsUpdate = Type.Object(
  {
    on: Type.Optional(on),
    after: Type.Optional(after),
    email: Type.Optional(addresses),
    webhook: Type.Optional(
      nullable(
        Type.Object(
          {
            url,
            secret: Type.Optional(
              nullable(
                Type.String({
                  maxLength: 200,
                  description:
                    'signs what is sent; never shown again. Without it the one before stays, null removes it',
                }),
              ),
            ),
          },
          { additionalProperties: false },
        ),
      ),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ on: ['failed', 'waiting'], after: 900, email: ['ops@example.org'] }],
  },
);
export type NotificationsUpdate = Static<typeof NotificationsUpdate>;

export const noNotifications: Notifications = {
  on: [],
  after: USUAL_AFTER_SECONDS,
  email: [],
  webhook: null,
  updated_at: null,
};

/** A notification that is due. */
export interface DueNotification {
  runId: string;
  kind: NotificationKind;
}
