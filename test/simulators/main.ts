import { fstatSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { parseArgs } from 'node:util';
import { obey } from './control.ts';
import { type DeviceOptions, noiseOf, type SimulatedDevice, type World } from './device.ts';
import { createFaults, type FaultName, faultNames } from './faults.ts';
import { createGrbl } from './grbl.ts';
import { startHttpOven } from './http-oven.ts';
import { startJsonOven } from './json-oven.ts';
import { createMarlin } from './marlin.ts';
import { startModbusOven } from './modbus-oven.ts';
import { startMqttOven } from './mqtt-oven.ts';
import { createPtyLink } from './pty-link.ts';
import { createRecord } from './record.ts';
import { createTcpLink } from './tcp-link.ts';

/**
 * `npm run simulate -- marlin --pty`: a device that is not there, on a real pseudo-terminal or socket. Prints one JSON
 * line with its address. When its standard input is a pipe, it obeys JSON lines (control.ts) from it, and ends with it;
 * otherwise, in the background too, it goes on until it is interrupted.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pty: { type: 'boolean' },
    tcp: { type: 'string' },
    baud: { type: 'string' },
    seed: { type: 'string', default: '1' },
    'motion-ms': { type: 'string', default: '0' },
    speed: { type: 'string', default: '1' },
    'rx-buffer': { type: 'string', default: '128' },
    'advanced-ok': { type: 'boolean', default: false },
    noise: { type: 'boolean', default: false },
    locked: { type: 'boolean', default: false },
    broker: { type: 'string' },
    base: { type: 'string', default: 'lab/oven' },
    login: { type: 'string' },
    fault: { type: 'string', multiple: true, default: [] },
  },
});
const makers = { marlin: createMarlin, grbl: createGrbl };
const ovens = { mqtt: startMqttOven, modbus: startModbusOven, http: startHttpOven, json: startJsonOven };
const kind = positionals[0] ?? '';
const isOven = kind === 'mqtt' || kind === 'modbus' || kind === 'http' || kind === 'json';
const isMachine = kind === 'marlin' || kind === 'grbl';
if (
  positionals.length !== 1 ||
  !(isOven || isMachine) ||
  (isMachine && !values.pty && values.tcp === undefined)
) {
  console.error(
    `usage: npm run simulate -- <${Object.keys(makers).join('|')}> --pty | --tcp <port, 0 for a free one>
       npm run simulate -- <${Object.keys(ovens).join('|')}> [--tcp <port>]
  --broker <url>        of another broker than its own (mqtt)
  --base <topic>        that its topics are below (mqtt: lab/oven)
  --login <user:password>  that it asks for (http, and the broker of mqtt)
  --baud <rate>         takes and gives bytes no faster
  --motion-ms <n>       each motion takes that long
  --speed <n>           heaters are that many times as fast
  --rx-buffer <bytes>   of the controller (128)
  --advanced-ok         "ok N12 P15 B3" (marlin)
  --locked              needs $H or $X first (grbl)
  --noise               says noise when it is opened, as at a wrong rate
  --fault <name>=<share of lines>   ${faultNames.join(', ')}
  --seed <n>            the same faults again`,
  );
  process.exit(2);
}
const number = (name: 'baud' | 'seed' | 'motion-ms' | 'speed' | 'rx-buffer' | 'tcp'): number => {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`--${name} is ${values[name]}, and is to be a number from 0`);
  process.exit(2);
};
const options: DeviceOptions = {
  motionMs: number('motion-ms'),
  speed: number('speed'),
  advancedOk: values['advanced-ok'],
  rxBuffer: number('rx-buffer'),
  noise: values.noise,
  locked: values.locked,
  version: '2.1.2.4',
};
const faults = createFaults(number('seed'));
for (const given of values.fault) {
  const [name = '', share = ''] = given.split('=');
  if (!faultNames.includes(name as FaultName) || !(Number(share) >= 0 && Number(share) <= 1)) {
    console.error(`--fault ${given}: <name>=<share from 0 to 1>, and the names are ${faultNames.join(', ')}`);
    process.exit(2);
  }
  faults.setRate(name as FaultName, Number(share)); // is one of them: checked above
}
const input = fstatSync(0);
const isControlled = input.isFIFO() || input.isSocket();
const commands = createInterface({ input: isControlled ? process.stdin : new PassThrough() });
commands.on('close', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0));

if (isOven) {
  const record = createRecord();
  const { base, broker, login } = values;
  const oven = await ovens[kind]({
    faults,
    record,
    port: values.tcp === undefined ? 0 : number('tcp'),
    base,
    broker,
    login,
    speed: options.speed,
  });
  const world: World = { options, faults, record, say: oven.say, disconnect: oven.disconnect };
  const device = { receive: () => {}, start: () => {}, pause: oven.pause, isIdle: () => true };
  commands.on('line', (line) => console.log(JSON.stringify(obey(line, { world, device }))));
  console.log(JSON.stringify({ device: kind, address: oven.address }));
} else if (isMachine) await simulateMachine(makers[kind]);

async function simulateMachine(make: (world: World) => SimulatedDevice): Promise<void> {
  const baud = values.baud === undefined ? undefined : number('baud');
  const link = values.pty ? createPtyLink(baud) : await createTcpLink(number('tcp'), baud);
  const world: World = {
    options,
    faults,
    record: createRecord(),
    say: (text) => link.write(Buffer.from(text, 'latin1')),
    disconnect: () => link.disconnect(),
  };
  const device = make(world);
  link.onData((bytes) => device.receive(bytes));
  link.onOpen(() => {
    if (options.noise) world.say(noiseOf(faults, 300));
    device.start();
  });
  commands.on('line', (line) => console.log(JSON.stringify(obey(line, { world, device }))));
  console.log(JSON.stringify({ device: kind, address: link.address }));
  if (values.pty) {
    if (options.noise) world.say(noiseOf(faults, 300));
    device.start();
  }
}
