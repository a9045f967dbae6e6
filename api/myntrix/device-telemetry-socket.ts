import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { DeviceRepository } from '../../db/myntrix/devices.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError, type errorCodes } from '../../domain/errors.ts';
import {
  DeviceFrame,
  GATEWAY_READINGS,
  SentTelemetry,
  Subscribe,
  viewOf,
} from '../../domain/myntrix/device-frames.ts';
import { Id } from '../../domain/wire.ts';
import { type Connection, type SocketRoute, socket } from '../http/socket.ts';
import type { Member } from '../live/devices/feed.ts';
import type { DeviceStreams } from '../live/devices/streams.ts';
import type { DeviceGateway } from './device-gateway.ts';

/** Messages of one client that wait for the database. */
const WAITING = 50;

export interface DeviceTelemetrySocketDeps {
  devices: Pick<DeviceRepository, 'look'>;
  streams: DeviceStreams;
  gateway: DeviceGateway;
}

export const createDeviceTelemetrySocket = ({
  devices,
  streams,
  gateway,
}: DeviceTelemetrySocketDeps): SocketRoute =>
  socket({
    path: '/ws/myntrix/telemetry/{deviceId}',
    access: 'myntrix:devices:read',
    summary: 'Watch what a device says',
    description: `A snapshot with the newest value of each metric, then what is new, numbered: \`?after=<seq>\` goes on after that number, unless it is too long ago. \`{"type": "subscribe", "metrics": ["T"], "max_hz": 5, "logs": false}\` says what is wanted: a snapshot of that follows. Who wants less often, or is slow, gets the newest value of each metric in one frame (\`from_seq\`, \`to_seq\`). With the permission myntrix:telemetry:write a device or gateway sends readings of its own, ${GATEWAY_READINGS} at most in a message: \`{"type": "telemetry", "readings": [{"metric": "T", "value": 21.5}]}\`; the answer \`stored\` comes when they are, and names rows that are not right.`,
    params: Type.Object({ deviceId: Id }),
    query: Type.Object({
      after: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    }),
    frames: DeviceFrame,
    async authorize({ params }) {
      await devices.look(params.deviceId);
    },
    async open({ user, params, query }, connection) {
      const joined = streams.follow(params.deviceId, query.after, connection);
      let waiting = 0;
      let work: Promise<void> = joined.then(() => {});
      connection.onText((text) => {
        if (waiting >= WAITING)
          return connection.send(refusal('rate_limited', `${WAITING} of your messages wait to be stored.`));
        waiting++;
        work = work
          .then(async () => answer(text, await joined))
          .catch((error: unknown) => connection.send(told(error)))
          .finally(() => waiting--);
      });
      const answer = async (text: string, member: Member): Promise<void> => {
        const message = read(text);
        if (Value.Check(Subscribe, message)) return member.turn(viewOf(message));
        await take(user, params.deviceId, message, connection, gateway);
      };
      await joined;
    },
  });

async function take(
  user: Principal,
  deviceId: string,
  message: unknown,
  connection: Connection,
  gateway: DeviceGateway,
): Promise<void> {
  if (!Value.Check(SentTelemetry, message)) {
    const [first] = Value.Errors(
      (message as { type?: unknown } | null)?.type === 'telemetry' ? SentTelemetry : Subscribe, // only looked at
      message,
    );
    throw new AppError(
      'invalid',
      `A message is {"type": "subscribe", "metrics"?, "max_hz"?, "logs"?} or {"type": "telemetry", "readings": [at most ${GATEWAY_READINGS}]}; ${first?.instancePath || 'this one'} ${first?.message ?? 'is neither'}.`,
    );
  }
  if (!user.permissions.has('myntrix:telemetry:write'))
    throw new AppError('forbidden', 'To send readings takes the permission myntrix:telemetry:write.');
  connection.send({ type: 'stored', ...(await gateway.take(deviceId, message.readings)) });
}

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AppError('bad_request', `The message is not JSON: ${(error as Error).message}`);
  }
}

const refusal = (code: (typeof errorCodes)[number], detail: string) => ({ type: 'error', code, detail });

/** What a client is told of its message; the rest is ours alone. */
const told = (error: unknown) =>
  error instanceof AppError
    ? refusal(error.code, error.message)
    : refusal('unavailable', 'It could not be stored now; send it again.');
