import { AppError } from '../../../domain/errors.ts';
import { type MqttAddress, shownAddress } from '../../../domain/myntrix/device-address.ts';
import { baseTopic, type MqttSettings, mqttTopics } from '../../../domain/myntrix/device-mqtt.ts';
import type { Json } from '../../../domain/wire.ts';
import type { OpenDevice, OpenDeviceOptions } from '../connection.ts';
import type { ConnectionEnd, Transport } from '../port.ts';
import { secretText } from '../secret-text.ts';
import { connectBroker } from './connect.ts';
import { createMqttProtocol } from './protocol.ts';
import { inTime, subscribe } from './subscribe.ts';

/** An emergency stop does not wait longer for the broker's acknowledgement. */
const STOP_MS = 1_000;
const FAREWELL_MS = 300;

/**
 * A device on a broker. Where it says whether it is there (`availability`), it counts as connected while it does.
 * @throws AppError unavailable: no broker, no right to it, or the device is not there
 */
export async function openMqtt(
  address: MqttAddress,
  settings: MqttSettings,
  options: OpenDeviceOptions & { secrets: Readonly<Record<string, Json>> },
): Promise<OpenDevice> {
  const topics = mqttTopics(baseTopic(address.path), settings);
  if (!topics) throw new AppError('invalid', 'mqtt needs a topic for commands');
  const { passwordSecret, availability, qos = 1, emergency } = settings;
  const password = passwordSecret === undefined ? undefined : secretText(passwordSecret, options.secrets);
  const endsAt = performance.now() + options.timeoutMs;
  const client = await connectBroker(address, settings, { ...options, password });
  const over = Promise.withResolvers<ConnectionEnd>();
  const shown = shownAddress(address);
  let end: ConnectionEnd | undefined;
  const finish = (how: ConnectionEnd): void => {
    if (end) return;
    end = how;
    const done = (): void => over.resolve(how);
    if (!client.connected) {
      done();
      return;
    }
    // A farewell, so that the broker does not tell the last will; what was not acknowledged is not waited for.
    client.end(false, done);
    setTimeout(() => client.end(true, done), FAREWELL_MS).unref();
  };
  let problem = '';
  client.on('error', (error) => {
    problem = `: ${error.message}`;
  });
  client.on('close', () =>
    finish({ kind: 'lost', reason: `the broker ${shown} ended the connection${problem}` }),
  );

  const publish = async (topic: string, bytes: Uint8Array): Promise<void> => {
    if (end)
      throw new AppError('unavailable', end.kind === 'lost' ? end.reason : 'the connection was closed');
    await client.publishAsync(topic, Buffer.from(bytes), { qos });
  };
  const transport: Transport = {
    address,
    mocked: false,
    write: (bytes) => publish(topics.command, bytes),
    overtake: (bytes) =>
      Promise.race([
        publish(emergency?.topic ?? topics.command, bytes),
        new Promise<void>((resolve) => setTimeout(resolve, STOP_MS).unref()),
      ]),
    onData: () => {}, // messages are whole, and come by their topics
    ended: over.promise,
    async close() {
      finish({ kind: 'closed' });
      await over.promise;
    },
  };
  const protocol = createMqttProtocol(transport, topics, settings);
  const there = Promise.withResolvers<void>();
  let said: string | undefined;
  client.on('message', (topic, payload, { retain }) => {
    const text = payload.toString('utf8');
    if (!retain) options.onHeard();
    if (availability?.topic === topic) {
      said = text;
      if (text === availability.online) there.resolve();
      else if (text === availability.offline && isThere)
        finish({ kind: 'lost', reason: `the device says on ${topic} that it is ${text.slice(0, 100)}` });
    }
    protocol.received(topic, text, retain);
  });
  let isThere = false;
  const lost = over.promise.then((how) => {
    throw new Error(how.kind === 'lost' ? how.reason : 'it was closed');
  });
  lost.catch(() => {}); // told to whoever waits for it
  const leftMs = (): number => endsAt - performance.now();
  try {
    const subscribed = subscribe(client, [
      ...(topics.answer === null ? [] : [topics.answer]),
      ...topics.telemetry,
      ...(availability ? [availability.topic] : []),
    ]);
    subscribed.catch(() => {}); // told below, if in time
    if (!(await inTime(Promise.race([subscribed, lost]), leftMs(), options.signal)))
      throw new Error('the broker does not answer');
    if (availability && !(await inTime(Promise.race([there.promise, lost]), leftMs(), options.signal)))
      throw new Error(
        `the device is not there: on ${availability.topic} it ${said === undefined ? 'says nothing' : `says ${JSON.stringify(said.slice(0, 100))}`}, and not ${JSON.stringify(availability.online)}`,
      );
    isThere = true;
  } catch (error) {
    await transport.close();
    throw new AppError('unavailable', `${shown}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { protocol, transport };
}
