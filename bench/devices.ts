import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { procEntry } from '../drivers/processes/proc.ts';
import { type RunningSimulator, startSimulator } from '../test/simulators/start.ts';
import { type Installation, withInstallation } from './installation.ts';
import { percentile, tenths } from './percentile.ts';

/**
 * Devices of one host: what we add to a command's round trip, from the request of an emergency stop until the device has
 * done it in the middle of a program at 115,200 baud, and what 100 devices cost their host that tell 10 readings a second each.
 */
const { values } = parseArgs({
  options: {
    commands: { type: 'string', default: '1000' },
    stops: { type: 'string', default: '100' },
    devices: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '30' },
  },
});
const [COMMANDS, STOPS, DEVICES, SECONDS] = [
  Number(values.commands),
  Number(values.stops),
  Number(values.devices),
  Number(values.seconds),
];
const READINGS_A_SECOND = 10;
const TICKS_PER_SECOND = 100;
const goals = {
  command_p50_ms: 30,
  command_p99_ms: 80,
  stop_p99_ms: 50,
  host_core_percent: 40,
  host_rss_mb: 400,
};

interface Device {
  id: string;
  status: string;
  statusReason: string | null;
}
const path = '/api/myntrix/devices';
const eager = { reconnect: { initialMs: 20, maxMs: 100 } };

const LINES = 20_000;
const program = Array.from({ length: LINES }, (_, at) => `G1 X${at % 200}.345 Y67.890 Z1.234 E${at} F1500\n`);

await withInstallation(measure);

async function measure(installation: Installation): Promise<void> {
  const command = await commands(installation);
  const stop = await stops(installation);
  const host = await many(installation);
  const ok =
    command.p50_ms <= goals.command_p50_ms &&
    command.p99_ms <= goals.command_p99_ms &&
    stop.p99_ms <= goals.stop_p99_ms &&
    host.core_percent <= goals.host_core_percent &&
    host.rss_mb <= goals.host_rss_mb &&
    host.connected === DEVICES;
  console.log(JSON.stringify({ bench: 'devices', ok, command, stop, host, goals }));
  process.exitCode = ok ? 0 : 1;
}

async function connected({ call }: Installation, connectionString: string, configuration: object) {
  const body = { name: 'bench', connectionString, configuration };
  const { id } = await call<Device>('POST', path, body);
  const device = await call<Device>('POST', `${path}/${id}/connect?wait=60`);
  if (device.status !== 'connected') throw new Error(`${connectionString}: ${device.statusReason}`);
  return id;
}

/** The whole round trip without what passed between the device's being asked and its answer. */
async function commands(installation: Installation) {
  const simulator = await startSimulator(['marlin', '--pty']);
  const id = await connected(installation, simulator.address, { protocol: 'marlin' });
  const added: number[] = [];
  for (let at = 0; at < COMMANDS; at++) {
    const startedAt = performance.now();
    const { sentAt, answeredAt, state } = await installation.call<{
      sentAt: string;
      answeredAt: string;
      state: string;
    }>('POST', `${path}/${id}/command`, { command: `G0 X${at % 100}` });
    if (state !== 'acknowledged') throw new Error(`a command is ${state}`);
    added.push(performance.now() - startedAt - (Date.parse(answeredAt) - Date.parse(sentAt)));
  }
  await installation.call('DELETE', `${path}/${id}`);
  await simulator.stop();
  return { p50_ms: tenths(percentile(added, 0.5)), p99_ms: tenths(percentile(added, 0.99)) };
}

/**
 * From the request until the device has carried out its M112, as somebody sees who asks it every two milliseconds, in the
 * middle of a program that is streamed as fast as the line takes it.
 */
async function stops(installation: Installation) {
  const { call } = installation;
  const simulator = await startSimulator(['marlin', '--pty', '--baud', '115200']);
  const id = await connected(installation, simulator.address, { protocol: 'marlin', ...eager });
  const took: number[] = [];
  for (let at = 0; at < STOPS; at++) {
    await simulator.tell({ clear: true });
    const job = await streaming(installation, id);
    while ((await simulator.tell({})).motions < 100) await delay(20);
    const startedAt = performance.now();
    const stopped = untilStopped(simulator);
    await call('POST', `${path}/${id}/emergency-stop`);
    took.push((await stopped) - startedAt);
    await simulator.tell({ restart: true });
    await until(installation, `/api/myntrix/jobs/${job}`, 'waiting');
    await call('POST', `/api/myntrix/jobs/${job}/decision`, { action: 'cancel' });
    await until(installation, `/api/myntrix/jobs/${job}`, 'cancelled');
    await until(installation, `${path}/${id}`, 'connected');
  }
  await call('DELETE', `${path}/${id}`);
  await simulator.stop();
  return {
    p50_ms: tenths(percentile(took, 0.5)),
    p99_ms: tenths(percentile(took, 0.99)),
    max_ms: tenths(Math.max(...took)),
  };
}

async function until({ call }: Installation, what: string, status: string): Promise<void> {
  while ((await call<{ status: string }>('GET', what)).status !== status) await delay(20);
}

async function untilStopped(simulator: RunningSimulator): Promise<number> {
  for (;;) {
    const { executed } = await simulator.tell({});
    if (executed.includes('M112')) return performance.now();
    await delay(2);
  }
}

/** Begins a program. @returns its job */
async function streaming({ stack, token }: Installation, id: string): Promise<string> {
  const body = new FormData();
  body.set('file', new Blob(program), 'bench.gcode');
  body.set('run', 'true');
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${stack.apiUrl}${path}/${id}/upload`, { method: 'POST', headers, body });
  if (answer.status !== 202) throw new Error(`no upload: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { job_id: string }).job_id; // as the route's schema says
}

/** Sockets that say a JSON line with a reading ten times a second. */
async function many(installation: Installation) {
  const sockets = new Set<Socket>();
  const servers = await Promise.all(
    Array.from({ length: DEVICES }, async () => {
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => sockets.delete(socket));
        socket.resume();
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  let value = 0;
  const saying = setInterval(() => {
    value += 0.1;
    for (const socket of sockets) socket.write(`{"temperature":${value.toFixed(1)}}\n`);
  }, 1_000 / READINGS_A_SECOND);
  const ids: string[] = [];
  for (const server of servers) {
    const { port } = server.address() as AddressInfo; // of a TCP server
    ids.push(await connected(installation, `tcp://127.0.0.1:${port}`, { protocol: 'json-lines' }));
  }
  await delay(3_000);
  const host = installation.stack.part('host').pid ?? 0;
  const before = procEntry(host)?.ticks ?? 0;
  await delay(SECONDS * 1_000);
  const ticks = (procEntry(host)?.ticks ?? 0) - before;
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${host}/status`, 'utf8'))?.[1]) / 1_024;
  const devices = await installation.call<Device[]>('GET', `${path}?limit=200`);
  clearInterval(saying);
  for (const id of ids) await installation.call('DELETE', `${path}/${id}`);
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  return {
    devices: DEVICES,
    connected: devices.filter(({ status }) => status === 'connected').length,
    core_percent: tenths((ticks / TICKS_PER_SECOND / SECONDS) * 100),
    rss_mb: Math.round(rss),
  };
}
