import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Programs that take the arguments of real flashers, as these are documented, say what those say, and end as those end.
 * What they are given to write says how it goes: `version 2.1.3` writes that to a (simulated) Marlin by the port that
 * they are given, `fail` does not reach the device, `hang` never ends. Each start is a line of the file `starts` in
 * their folder, with the pid and the arguments.
 */
export function installFlashers(folder: string) {
  const starts = join(folder, 'starts');
  writeFileSync(starts, '');
  for (const name of ['avrdude', 'esptool', 'dfu-util'] as const) {
    writeFileSync(join(folder, name), `#!${process.execPath}\n${common(starts)}\n${programs[name]}`);
    chmodSync(join(folder, name), 0o755);
  }
  return {
    folder,
    /** Pids and arguments, in order. */
    starts: (): { pid: number; program: string; argv: string[] }[] =>
      readFileSync(starts, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  };
}

const common = (starts: string): string => `
const fs = require('node:fs');
const { spawnSync } = require('node:child_process');
const { basename } = require('node:path');
const program = basename(process.argv[1]);
const argv = process.argv.slice(2);
fs.appendFileSync(${JSON.stringify(starts)}, JSON.stringify({ pid: process.pid, program, argv }) + '\\n');
/** Values of options that take one; what is not known ends it, as getopt does. */
function options(args, withValue, without, usage) {
  const found = {};
  while (args.length > 0 && args[0].startsWith('-')) {
    const name = args.shift();
    if (without.includes(name)) found[name] = true;
    else if (withValue.includes(name) && args.length > 0) found[name] = args.shift();
    else usage(name);
  }
  return found;
}
const end = (code, text) => { process.stderr.write(text); process.exit(code); };
/** Tells the boot loader by the port, and waits for its answer. */
function write(port, image) {
  const version = /^version (\\S+)/.exec(image)?.[1];
  if (port === undefined || version === undefined) return;
  const stty = spawnSync('stty', ['-F', port, 'raw', '-echo']);
  if (stty.status !== 0) end(1, String(stty.stderr));
  const fd = fs.openSync(port, 'r+');
  fs.writeSync(fd, 'M997 ' + version + '\\n');
  const buffer = Buffer.alloc(1_000);
  for (let said = ''; !said.includes('ok'); ) said += buffer.toString('latin1', 0, fs.readSync(fd, buffer));
  fs.closeSync(fd);
}
const hang = () => setInterval(() => {}, 1_000);
`;

const programs = {
  // avrdude(1): everything is said on standard error; 0, or 1 when anything went wrong.
  avrdude: `
const usage = (name) => end(1, 'avrdude: invalid option -- ' + name + '\\nUsage: avrdude [options]\\n');
const given = options(argv, ['-p', '-b', '-B', '-c', '-C', '-P', '-U', '-i', '-E', '-l', '-x'], ['-D', '-e', '-F', '-n', '-q', '-v', '-V'], usage);
if (!given['-p'] || !given['-c']) usage('-p');
const [, memory, op, file, format] = /^(\\w+):([rwv]):(.+):([isrmadhobe])$/.exec(given['-U'] ?? '') ?? usage('-U');
const image = fs.readFileSync(file, 'latin1');
process.stderr.write('avrdude: AVR device initialized and ready to accept instructions\\n');
if (image.startsWith('hang')) { process.stderr.write('Writing |####'); hang(); }
else {
  if (image.startsWith('fail'))
    end(1, 'avrdude: stk500v2_getsync(): timeout communicating with programmer\\n\\navrdude done.  Thank you.\\n\\n');
  process.stderr.write('avrdude: writing ' + memory + ' (' + image.length + ' bytes):\\n');
  write(given['-P'], image);
  end(0, 'avrdude: ' + image.length + ' bytes of ' + memory + ' verified\\n\\navrdude done.  Thank you.\\n\\n');
}`,
  // esptool: a command after the general options; 2 for what it calls a fatal error.
  esptool: `
const usage = (name) => end(2, 'Usage: esptool [OPTIONS] COMMAND [ARGS]...\\nError: No such option: ' + name + '\\n');
const given = options(argv, ['--chip', '-c', '--port', '-p', '--baud', '-b', '--before', '--after'], ['--no-stub'], usage);
const command = argv.shift();
if (command !== 'write_flash' && command !== 'write-flash') usage(command);
options(argv, ['--flash_mode', '--flash-mode', '-fm', '--flash_size', '--flash-size'], ['--erase-all', '-e', '-z'], usage);
const [address, file, ...rest] = argv;
if (!/^(0x[0-9a-f]+|\\d+)$/i.test(address ?? '') || rest.length > 0) usage(address);
const image = fs.readFileSync(file, 'latin1');
console.log('esptool v5.1.0\\nSerial port ' + given['--port'] + ':');
if (image.startsWith('hang')) { console.log('Connecting......'); hang(); }
else {
  if (image.startsWith('fail')) {
    console.log('Connecting......................................\\n');
    end(2, 'A fatal error occurred: Failed to connect to ESP32: No serial data received.\\n');
  }
  write(given['--port'], image);
  console.log('Wrote ' + image.length + ' bytes at 0x' + Number(address).toString(16).padStart(8, '0') + ' in 0.1 seconds.');
  console.log('Hash of data verified.\\n\\nHard resetting via RTS pin...');
}`,
  // dfu-util(1): by USB, without a serial port; sysexits.h, such as 64 (usage) and 74 (input or output).
  'dfu-util': `
const usage = (name) => end(64, "dfu-util: unrecognized option '" + name + "'\\n");
const given = options(argv, ['-d', '-a', '-s', '-D', '-S', '-t'], ['-R', '-e', '-v'], usage);
if (argv.length > 0 || !given['-D']) usage(argv[0]);
if (given['-s'] !== undefined && !/^(0x[0-9a-f]+)?(:leave)?$/i.test(given['-s'])) usage('-s');
const image = fs.readFileSync(given['-D'], 'latin1');
console.log('dfu-util 0.11\\n');
if (image.startsWith('hang')) { console.log('Download	[=====                    ]  20%'); hang(); }
else {
  if (image.startsWith('fail')) end(74, 'dfu-util: No DFU capable USB device available\\n');
  console.log('Downloading element to address = ' + (given['-s'] ?? '').split(':')[0] + ', size = ' + image.length);
  console.log('File downloaded successfully');
}`,
};
