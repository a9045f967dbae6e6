import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { parseDeviceAddress } from '../domain/myntrix/device-address.ts';
import { readGcode } from '../drivers/devices/gcode/lines.ts';
import { openTransport } from '../drivers/devices/open.ts';
import { createMarlin } from '../drivers/devices/protocols/marlin.ts';
import { startSimulator } from '../test/simulators/start.ts';
import { percentile, tenths } from './percentile.ts';

/**
 * Streams G-code to the simulated printer over a pty: lines a second without faults, no line lost or doubled with a
 * share of faults, and emergency stops of a stream at 115,200 baud. Printrun's printcore prints the same file in
 * the same run (python3 and pip are needed; `--no-peer` leaves it out). One JSON line.
 */
const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '20000' },
    'fault-lines': { type: 'string', default: '1000000' },
    stops: { type: 'string', default: '50' },
    'no-peer': { type: 'boolean', default: false },
  },
});
const execute = promisify(execFile);
const LIMIT = 2_500;
const faults = ['damage', 'lose', 'join', 'lose-ok', 'damage-ok'];
const folder = mkdtempSync(join(tmpdir(), 'vareon-gcode-'));
const signal = new AbortController().signal;

async function writeProgram(name: string, lines: number): Promise<{ file: string; sha256: string }> {
  const file = join(folder, name);
  const hash = createHash('sha256');
  const out = createWriteStream(file);
  for (let at = 0; at < lines; at += 1_000) {
    let text = '';
    for (let number = at; number < Math.min(lines, at + 1_000); number++)
      text += `G1 X${(number % 200) + 0.25} Y${(number % 173) + 0.5} E${number}\n`;
    hash.update(text);
    if (!out.write(text)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
  return { file, sha256: hash.digest('hex') };
}

async function stream(lines: number, args: string[]) {
  const { file, sha256 } = await writeProgram('program.gcode', lines);
  const simulator = await startSimulator(['marlin', '--pty', ...args]);
  const transport = await openTransport(parseDeviceAddress(simulator.address), { signal, timeoutMs: 10_000 });
  const device = createMarlin(transport, { ackTimeoutMs: 25, recoverMs: 10 });
  await device.identify(60_000);
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const end = await device.run?.(readGcode(createReadStream(file))).ended;
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(before);
  const report = await simulator.tell({});
  await transport.close();
  await simulator.stop();
  return {
    end: end?.kind,
    lines_a_second: Math.round(lines / seconds),
    own_core_percent: Math.round((user + system) / 10_000 / seconds),
    done: report.motions,
    exact: report.sha256 === sha256 && report.motions === lines,
    faults: Object.fromEntries(Object.entries(report.faults).filter(([, count]) => count > 0)),
  };
}

/** From the call to the device's answer that it stopped, in a stream as fast as 115,200 baud and its window let it. */
async function emergencyStops(count: number): Promise<number[]> {
  const { file } = await writeProgram('stop.gcode', 20_000);
  const simulator = await startSimulator(['marlin', '--pty', '--baud', '115200']);
  const times: number[] = [];
  for (let stop = 0; stop < count; stop++) {
    const transport = await openTransport(parseDeviceAddress(simulator.address), {
      signal,
      timeoutMs: 10_000,
    });
    const device = createMarlin(transport);
    await device.identify(60_000);
    const stopped = Promise.withResolvers<number>();
    device.onEvent((event) => event.kind === 'alarm' && stopped.resolve(performance.now()));
    device.run?.(readGcode(createReadStream(file)));
    while ((await simulator.tell({})).motions < 20);
    const at = performance.now();
    await device.emergencyStop();
    times.push((await stopped.promise) - at); // and back: the printer says that it is halted
    await transport.close();
    await simulator.tell({ restart: true, clear: true });
  }
  await simulator.stop();
  return times;
}

async function peer(lines: number, args: string[]) {
  const { file, sha256 } = await writeProgram('peer.gcode', lines);
  const venv = join(folder, 'venv');
  await execute('python3', ['-m', 'venv', venv]);
  // Its window toolkit is not needed for printcore.
  const needed = ['Printrun==2.2.0', 'pyserial', 'psutil', 'platformdirs', 'lxml', 'puremagic', 'numpy'];
  await execute(join(venv, 'bin', 'pip'), ['install', '-q', '--no-deps', ...needed]);
  const simulator = await startSimulator(['marlin', '--pty', ...args]);
  const path = simulator.address.replace('serial://', '');
  const script = join(import.meta.dirname, 'gcode', 'printcore.py');
  const { stdout } = await execute(join(venv, 'bin', 'python'), [script, path, file, '600']);
  // printcore.py prints it last.
  const said = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { seconds: number; finished: boolean };
  const report = await simulator.tell({});
  await simulator.stop();
  return {
    finished: said.finished,
    lines_a_second: Math.round(report.motions / said.seconds),
    done: report.motions,
    exact: report.sha256 === sha256,
  };
}

try {
  const clean = await stream(Number(values.lines), []);
  const faulty = await stream(
    Number(values['fault-lines']),
    faults.map((name) => `--fault=${name}=${0.01 / faults.length}`),
  );
  const stops = await emergencyStops(Number(values.stops));
  const printcore = values['no-peer'] ? undefined : await peer(Math.min(Number(values.lines), 10_000), []);
  const ok = clean.exact && faulty.exact && clean.lines_a_second >= LIMIT && percentile(stops, 0.99) <= 50;
  const stop_ms = { p50: tenths(percentile(stops, 0.5)), p99: tenths(percentile(stops, 0.99)) };
  console.log(JSON.stringify({ ok, clean, faulty, stop_ms, printcore }));
  process.exitCode = ok ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
