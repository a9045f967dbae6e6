import { parseDeviceAddress } from '../../domain/myntrix/device-address.ts';
import type { DeviceMeans, OpenDevice } from '../../drivers/devices/connection.ts';
import { openMessages } from '../../drivers/devices/open-messages.ts';
import type { Transport } from '../../drivers/devices/port.ts';
import { createGrbl } from '../../drivers/devices/protocols/grbl.ts';
import { createJsonLines } from '../../drivers/devices/protocols/json-lines.ts';
import { createLines } from '../../drivers/devices/protocols/lines.ts';
import { createMarlin } from '../../drivers/devices/protocols/marlin.ts';
import type { DeviceProtocol } from '../../drivers/devices/protocols/port.ts';
import { createRaw } from '../../drivers/devices/protocols/raw.ts';
import { createOutboundClient } from '../../drivers/outbound/client.ts';
import { startSimulator } from '../simulators/start.ts';
import { connect } from './connect.ts';
import { startLineDevice } from './line-device.ts';

/** A device of one protocol, and what it is told in the contract. */
export interface ProtocolCase {
  open(): Promise<OpenDevice>;
  /** It says yes, and does it; `n` makes each another one. */
  good(n: number): string;
  /** How it is in what the device did. */
  done(n: number): string | RegExp;
  /** It says no. */
  bad: string | undefined;
  /** What an emergency stop is in what the device did. */
  stop: string | RegExp;
  identity: object;
  executed(): Promise<string[]>;
  /** Its answers are late from now on. */
  pause(ms: number): Promise<void>;
  cut(): Promise<void>;
  /** Ready again, and answers at once. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const secrets: Record<string, string> = { oven_password: 'hot' };

/** What a host has for its devices; this machine may be reached, as a host's setting would allow. */
export const means: DeviceMeans = {
  settings: { wanted: async () => null, tell: async () => {} },
  secrets: async (_device, names) =>
    Object.fromEntries(names.flatMap((name) => (secrets[name] ? [[name, secrets[name]]] : []))),
  createOutbound: () => createOutboundClient({ allow: ['127.0.0.0/8'], userAgent: 'test' }),
};

/** Opens a device behind a broker, registers or a web server. */
export async function openOven(
  address: string,
  configuration: Record<string, unknown>,
  timeoutMs = 30_000,
): Promise<OpenDevice> {
  const opened = await openMessages(
    { id: 'oven', configuration },
    parseDeviceAddress(address),
    { signal: new AbortController().signal, timeoutMs, onHeard: () => {} },
    means,
  );
  if (!opened) throw new Error(`${address} is not one of messages`);
  return opened;
}

async function simulated(
  args: readonly string[],
  of: Pick<ProtocolCase, 'good' | 'done' | 'bad' | 'stop' | 'identity'>,
  open: (address: string) => Promise<OpenDevice>,
): Promise<ProtocolCase> {
  const simulator = await startSimulator(args);
  return {
    ...of,
    open: () => open(simulator.address),
    executed: async () => (await simulator.tell({})).executed,
    pause: async (pauseMs) => void (await simulator.tell({ pauseMs })),
    cut: async () => void (await simulator.tell({ disconnect: true })),
    restart: async () => void (await simulator.tell({ pauseMs: 0, restart: true })),
    close: simulator.stop,
  };
}

const over =
  (make: (transport: Transport) => DeviceProtocol) =>
  async (address: string): Promise<OpenDevice> => {
    const transport = await connect(address);
    return { transport, protocol: make(transport) };
  };

async function lined(
  isBinary: boolean,
  answer: (said: string) => string | undefined,
  of: Pick<ProtocolCase, 'good' | 'done' | 'bad' | 'stop'>,
  make: (transport: Transport) => DeviceProtocol,
): Promise<ProtocolCase> {
  const device = await startLineDevice(isBinary, answer);
  return {
    ...of,
    identity: { details: {} },
    open: () => over(make)(device.address),
    executed: async () => device.executed,
    async pause(ms) {
      device.pauseMs = ms;
    },
    cut: async () => device.cut(),
    restart: async () => {
      device.pauseMs = 0;
    },
    close: device.close,
  };
}

const hex = (n: number): string => n.toString(16).padStart(2, '0');
const emergencyBytes = Buffer.from('STOP\n');
export const ovenRegisters = {
  target: { kind: 'holding', address: 0, type: 'float32' },
  speed: { kind: 'holding', address: 2, unit: 'rpm' },
  running: { kind: 'coil', address: 0 },
  temperature: { kind: 'input', address: 0, type: 'int16', scale: 0.1, unit: '°C', pollMs: 50 },
  wanted: { kind: 'input', address: 1, type: 'int32', wordOrder: 'little', pollMs: 50 },
  hot: { kind: 'discrete', address: 0, pollMs: 50 },
  missing: { kind: 'holding', address: 100 },
};

export const protocolCases: Record<string, () => Promise<ProtocolCase>> = {
  marlin: () =>
    simulated(
      ['marlin', '--tcp', '0'],
      {
        good: (n) => `G0 X${n}`,
        done: (n) => `G0 X${n}`,
        bad: 'X',
        stop: 'M112',
        identity: { firmwareName: 'Marlin' },
      },
      over((transport) => createMarlin(transport, { ackTimeoutMs: 150, recoverMs: 50 })),
    ),
  grbl: () =>
    simulated(
      ['grbl', '--tcp', '0'],
      {
        good: (n) => `G0 X${n}`,
        done: (n) => `G0 X${n}`,
        bad: 'G999',
        stop: '0x18',
        identity: { firmwareName: 'Grbl' },
      },
      over((transport) => createGrbl(transport, { statusMs: 50 })),
    ),
  lines: () =>
    lined(
      false,
      (said) => (said === 'BAD' ? 'ERR 1' : said === 'STOP' ? undefined : 'OK'),
      { good: (n) => `SET ${n}`, done: (n) => `SET ${n}`, bad: 'BAD', stop: 'STOP' },
      (transport) => createLines(transport, { isError: (line) => line.startsWith('ERR'), emergencyBytes }),
    ),
  'json-lines': () =>
    lined(
      false,
      (said) => (said === 'STOP' ? undefined : said.includes('bad') ? '{"error":"no"}' : '{"ok":true}'),
      { good: (n) => `{"set":${n}}`, done: (n) => `{"set":${n}}`, bad: '{"bad":1}', stop: 'STOP' },
      (transport) => createJsonLines(transport, { emergencyBytes }),
    ),
  raw: () =>
    lined(
      true,
      (said) => (said === 'ff' ? undefined : '06'),
      { good: (n) => `01 ${hex(n)}`, done: (n) => `01${hex(n)}`, bad: undefined, stop: 'ff' },
      (transport) => createRaw(transport, { gapMs: 5, emergencyBytes: Uint8Array.of(0xff) }),
    ),
  mqtt: () =>
    simulated(
      ['mqtt', '--login', 'lab:hot'],
      {
        good: (n) => `{"set":{"target":${n}}}`,
        done: (n) => `target=${n}`,
        bad: '{"set":{"target":900}}',
        stop: 'stop',
        identity: { firmwareName: 'Oven', firmwareVersion: '1.4.2' },
      },
      (address) =>
        openOven(address, {
          mqtt: {
            username: 'lab',
            passwordSecret: 'oven_password',
            correlation: 'id',
            availability: { topic: 'lab/oven/availability', online: 'online', offline: 'offline' },
            emergency: { payload: '{"stop":true}' },
            identity: { command: '{"identify":true}', name: '/name', version: '/version' },
          },
        }),
    ),
  modbus: () =>
    simulated(
      ['modbus'],
      {
        good: (n) => `write speed ${n}`,
        done: (n) => `speed=${n}`,
        bad: 'write missing 1',
        stop: /running=[01]/,
        identity: { firmwareName: 'Example Oven', firmwareVersion: '1.4.2' },
      },
      (address) => openOven(address, { registers: ovenRegisters, modbus: { emergency: 'write running 1' } }),
    ),
  http: () =>
    simulated(
      ['http', '--login', 'lab:hot'],
      {
        good: (n) => `PUT /target {"value":${n}}`,
        done: (n) => `target=${n}`,
        bad: 'PUT /target {"value":900}',
        stop: 'stop',
        identity: { firmwareName: 'Oven', firmwareVersion: '1.4.2' },
      },
      (address) =>
        openOven(address, {
          http: {
            username: 'lab',
            passwordSecret: 'oven_password',
            emergency: { method: 'POST', path: '/stop' },
            identity: { path: '/info', name: '/name', version: '/version' },
            alive: { path: '/status', everyMs: 500 },
          },
        }),
    ),
};
