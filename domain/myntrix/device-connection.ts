import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { AppError } from '../errors.ts';
import type { DeviceAddress } from './device-address.ts';
import { HttpSettings, httpProblems } from './device-http.ts';
import { ModbusSettings, modbusProblems, Registers } from './device-modbus.ts';
import { MqttSettings, mqttProblems } from './device-mqtt.ts';

/** The part of a device's configuration that says how messages, registers and requests go to it. */
export const MessageSettings = Type.Partial(
  Type.Object({ mqtt: MqttSettings, modbus: ModbusSettings, registers: Registers, http: HttpSettings }),
);
export type MessageSettings = Static<typeof MessageSettings>;

type Configuration = Readonly<Record<string, unknown>>;

/**
 * The settings for this address.
 * @throws AppError invalid, with everything that is wrong
 */
export function readMessageSettings(address: DeviceAddress, configuration: Configuration): MessageSettings {
  const { mqtt, modbus, registers, http } = configuration;
  const given = Object.fromEntries(
    Object.entries({ mqtt, modbus, registers, http }).filter(([, value]) => value !== undefined),
  );
  const wrong = Value.Errors(MessageSettings, given).map(
    ({ instancePath, message }) => `configuration${instancePath} ${message}`,
  );
  if (wrong.length > 0)
    throw new AppError('invalid', `The configuration cannot be used: ${wrong.slice(0, 5).join('; ')}.`);
  const settings = given as MessageSettings; // checked just above
  const problems = problemsOf(address, settings);
  if (problems.length > 0)
    throw new AppError('invalid', `The device cannot be spoken to: ${problems.slice(0, 5).join('; ')}.`);
  return settings;
}

function problemsOf(
  address: DeviceAddress,
  { mqtt = {}, modbus = {}, registers = {}, http = {} }: MessageSettings,
): string[] {
  switch (address.transport) {
    case 'mqtt':
      return mqttProblems(address.path, mqtt);
    case 'modbus-tcp':
      return modbusProblems(address.path, modbus, registers);
    case 'http':
      return httpProblems(address.path, http);
    default:
      return [];
  }
}

/** The names of the secrets that a connection needs. */
export const secretsOf = ({ mqtt, http }: MessageSettings): string[] => [
  ...new Set(
    [
      mqtt?.passwordSecret,
      http?.passwordSecret,
      ...Object.values(http?.secretHeaders ?? {}).map(({ secret }) => secret),
    ].filter((name) => name !== undefined),
  ),
];
