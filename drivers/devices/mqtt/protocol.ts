import { AppError } from '../../../domain/errors.ts';
import type { MqttSettings, MqttTopics } from '../../../domain/myntrix/device-mqtt.ts';
import type { Transport } from '../port.ts';
import { checkMessage } from '../protocols/command-text.ts';
import { createExchange } from '../protocols/exchange.ts';
import type { DeviceProtocol } from '../protocols/port.ts';
import { identityIn, jsonIn, objectIn, saysNo } from '../protocols/said.ts';
import { matches, telemetryOf } from './topics.ts';

/** Of an answer or a line, for people and the record. */
const SHOWN = 16_384;

export interface MqttProtocol extends DeviceProtocol {
  /** A message came. @param isOld it was retained by the broker: it answers nothing. */
  received(topic: string, text: string, isOld: boolean): void;
}

/** @param transport its writes are published on the command topic */
export function createMqttProtocol(
  transport: Transport,
  topics: MqttTopics,
  settings: MqttSettings,
): MqttProtocol {
  const { correlation, identity } = settings;
  let number = 0;
  const exchange = createExchange(
    topics.answer === null
      ? { ...transport, write: (bytes) => transport.write(bytes).then(() => exchange.unanswered(NO_ANSWERS)) }
      : transport,
    {
      name: 'mqtt',
      checkText(text) {
        checkMessage(text, 'mqtt');
        if (correlation !== undefined && !objectIn(text))
          throw new AppError(
            'invalid',
            `commands of this device are JSON objects, which get the key ${correlation}`,
          );
      },
      bytesOf(text) {
        if (correlation === undefined) return Buffer.from(text);
        number += 1;
        return Buffer.from(JSON.stringify({ ...objectIn(text), [correlation]: number }));
      },
      emergencyBytes: settings.emergency && Buffer.from(settings.emergency.payload),
    },
  );

  function answered(text: string): void {
    const said = objectIn(text);
    if (correlation !== undefined && said?.[correlation] !== number) {
      exchange.emit({ kind: 'log', line: `an answer to no command under way: ${text.slice(0, SHOWN)}` });
      return;
    }
    const isError = said ? saysNo(said) : /^\s*error\b/i.test(text);
    exchange.said(text.slice(0, SHOWN), { isLast: true, isError });
  }

  return {
    ...exchange.protocol,
    async identify(timeoutMs) {
      if (!identity) return { details: {} };
      const { state, lines } = await exchange.protocol.command(identity.command, { timeoutMs });
      if (state === 'unknown')
        throw new AppError('timeout', `nobody answered ${identity.command} within ${timeoutMs} ms`);
      return identityIn(jsonIn(lines.join('\n')), identity);
    },
    received(topic, text, isOld) {
      if (topics.answer !== null && matches(topics.answer, topic)) {
        if (!isOld) answered(text);
        return;
      }
      const filter = topics.telemetry.find((each) => matches(each, topic));
      if (filter === undefined) return;
      const readings = telemetryOf(filter, topic, text);
      exchange.emit(
        readings.length > 0
          ? { kind: 'readings', readings }
          : { kind: 'log', line: `${topic} ${text.slice(0, SHOWN)}` },
      );
    },
  };
}

const NO_ANSWERS = 'the broker has it; the device answers nothing';
