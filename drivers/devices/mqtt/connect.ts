import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import mqtt, { type MqttClient } from 'mqtt';
import { AppError } from '../../../domain/errors.ts';
import { type MqttAddress, shownAddress } from '../../../domain/myntrix/device-address.ts';
import type { MqttSettings } from '../../../domain/myntrix/device-mqtt.ts';
import { createPacketMeter } from '../../bus/packet-limit.ts';
import type { OpenOptions } from '../port.ts';

/** A broker that is gone is noticed within one and a half of these. */
const KEEPALIVE_SECONDS = 5;
/** Of what a device says at once. */
const PACKET_BYTES = 1_048_576;

/**
 * Connects to a device's own broker, once: what reconnects is the device's session, which knows what was under way.
 * @throws AppError unavailable
 */
export function connectBroker(
  address: MqttAddress,
  settings: MqttSettings,
  { signal, timeoutMs, password }: OpenOptions & { password: string | undefined },
): Promise<MqttClient> {
  const { host, port, secure } = address;
  const client = mqtt.connect({
    protocol: secure ? 'mqtts' : 'mqtt',
    host,
    port,
    ...(secure ? { servername: host } : {}),
    protocolVersion: 4,
    clientId: settings.clientId ?? `vareon-${randomBytes(8).toString('hex')}`,
    ...(settings.username === undefined ? {} : { username: settings.username, password: password ?? '' }),
    clean: true,
    keepalive: KEEPALIVE_SECONDS,
    // What was published and not acknowledged would be published again by itself.
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout: timeoutMs,
    ...(settings.will
      ? {
          will: {
            topic: settings.will.topic,
            payload: Buffer.from(settings.will.payload),
            qos: 1 as const,
            retain: settings.will.retain ?? false,
          },
        }
      : {}),
  });
  // The parser would gather 256 MB of a message before anybody looks.
  const fits = createPacketMeter(() => PACKET_BYTES);
  client.stream.on('data', (chunk: Buffer) => {
    if (!fits(chunk)) client.stream.destroy(new Error(`a message of more than ${PACKET_BYTES} bytes came`));
  });
  return new Promise((resolve, reject) => {
    let why = 'it ended the connection';
    const giveUp = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const fail = (): void => {
      giveUp.removeEventListener('abort', late);
      client.end(true);
      reject(new AppError('unavailable', `no connection to the broker ${shownAddress(address)}: ${why}`));
    };
    const late = (): void => {
      why = 'it took too long, or was given up';
      fail();
    };
    client.on('error', (error) => {
      why = error.message;
    });
    client.once('close', fail);
    client.once('connect', () => {
      giveUp.removeEventListener('abort', late);
      client.off('close', fail);
      // Without this, Nagle's algorithm and delayed acknowledgements make each message wait.
      (client.stream as Partial<Socket>).setNoDelay?.(true);
      resolve(client);
    });
    if (giveUp.aborted) late();
    else giveUp.addEventListener('abort', late, { once: true });
  });
}
