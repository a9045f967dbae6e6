import { createWire, damaged, noiseOf, type SimulatedDevice, type World } from './device.ts';
import { createInput } from './input.ts';
import { createMarlinCommands } from './marlin-commands.ts';

/** Commands that it takes in before it carries them out (BUFSIZE of the firmware). */
const QUEUE = 4;
interface Queued {
  line: string;
  number: number | undefined;
}
/** `busy:` is said that often (HOST_KEEPALIVE). */
const KEEPALIVE_MS = 2_000;

/**
 * A printer with Marlin's serial protocol, as the firmware's queue.cpp and the RepRap wiki have it: numbered lines
 * with checksums, `ok`, `Resend:`, `busy:`, and an emergency stop that does not wait for its turn.
 */
export function createMarlin(world: World): SimulatedDevice {
  const { options, faults, record, say } = world;
  const input = createInput();
  const queue: Queued[] = [];
  const commands = createMarlinCommands(world);
  let lastNumber = 0;
  let isKilled = false;
  let isWorking = false;
  let pausedUntil = 0;
  const wire = createWire(faults);
  let tail = '';

  function start(): void {
    input.drop();
    queue.length = 0;
    lastNumber = 0;
    isKilled = false;
    isWorking = false;
    commands.reset();
    say(`start\necho:Marlin ${options.version} (simulated)\n//action:ready\n`);
  }

  function askAgain(why: string): void {
    input.drop(); // the firmware flushes what it has not read
    const times = faults.strikes('storm') ? 5 : 1;
    for (let time = 0; time < times; time++)
      say(`Error:${why}, Last Line: ${lastNumber}\nResend: ${lastNumber + 1}\nok\n`);
  }

  /** Checks number and checksum as the firmware does; what is right joins the queue. */
  function take(raw: string): void {
    record.received(raw);
    const line = raw.trim();
    const wrong = line.startsWith('N') ? problemOf(line) : undefined;
    if (wrong !== undefined) askAgain(wrong);
    // Marlin, gcode/queue.cpp: what goes into a file has a number, but for the end of it.
    else if (!line.startsWith('N') && commands.isWriting() && !/^M29\b/.test(line))
      askAgain('No Checksum with line number');
    else if (!line.startsWith('N')) queueUp(line, undefined);
    else {
      lastNumber = Number.parseInt(line.slice(1), 10);
      // Lines that ran into one another may have a checksum that is right: the firmware's parser ends at the first star
      // (Marlin, gcode/parser.cpp), and asks for the others by their numbers.
      queueUp(line.slice(0, line.indexOf('*')).replace(/^N-?\d+\s*/, ''), lastNumber);
    }
  }

  function queueUp(line: string, number: number | undefined): void {
    if (line !== '') queue.push({ line, number });
  }

  function problemOf(line: string): string | undefined {
    const number = Number.parseInt(line.slice(1), 10);
    if (number !== lastNumber + 1 && !(Number.isInteger(number) && /M110\b/.test(line)))
      return 'Line Number is not Last Line Number+1';
    const star = line.lastIndexOf('*');
    if (star === -1) return 'No Checksum with line number';
    const is = Number.parseInt(line.slice(star + 1), 10);
    return checksum(line.slice(0, star)) === is ? undefined : 'checksum mismatch';
  }

  /** An emergency does not wait for anything. */
  function emergency(bytes: Buffer): void {
    const seen = tail + bytes.toString('latin1'); // it comes in pieces, too
    tail = seen.slice(-8);
    if (!/(^|\s)M112[\s*]/.test(seen)) return;
    tail = '';
    record.executed('M112');
    isKilled = true;
    queue.length = 0;
    input.drop();
    commands.reset();
    say('Error:Printer halted. kill() called!\n');
  }

  function ok({ number, line }: Queued): void {
    if (faults.strikes('lose-ok')) return;
    if (faults.strikes('noise')) say(`${noiseOf(faults, 24)}\n`);
    const answer = commands.answer(line);
    const text = options.advancedOk && number !== undefined ? `ok N${number} P15 B3${answer}` : `ok${answer}`;
    say(`${faults.strikes('damage-ok') ? damaged(faults, text) : text}\n`);
  }

  function done(item: Queued): void {
    isWorking = false;
    record.executed(item.line);
    if (faults.strikes('reset')) {
      start();
      return;
    }
    if (faults.strikes('disconnect')) {
      say('o');
      world.disconnect();
      return;
    }
    const late = faults.strikes('slow');
    if (late) pausedUntil = performance.now() + 50 + faults.random(200);
    ok(item);
  }

  function work(item: Queued): void {
    const isOver = commands.run(item.line);
    if (isOver === true && (options.motionMs === 0 || !/^G[0-3]\b/.test(item.line))) {
      done(item);
      return;
    }
    isWorking = true;
    let saidAt = performance.now();
    const until = performance.now() + options.motionMs;
    const wait = setInterval(() => {
      if (!isWorking) return clearInterval(wait);
      const now = performance.now();
      if (now - saidAt >= KEEPALIVE_MS) {
        saidAt = now;
        say('echo:busy: processing\n');
      }
      if (isOver === true ? now < until : !isOver()) return;
      clearInterval(wait);
      done(item);
      pump();
    }, 1);
  }

  function pump(): void {
    while (!isKilled) {
      const wait = pausedUntil - performance.now();
      if (wait > 0) {
        setTimeout(pump, wait);
        break;
      }
      while (queue.length < QUEUE) {
        const line = input.line();
        if (line === undefined) break;
        const arrived = line === '' && !wire.isJoining() ? undefined : wire.arrived(line);
        if (arrived !== undefined) take(arrived);
      }
      if (isWorking) break;
      const item = queue.shift();
      if (!item) break;
      work(item);
    }
    input.drop(isKilled ? 0 : options.rxBuffer);
  }

  return {
    start,
    receive(bytes) {
      record.bytes(bytes.length);
      if (isKilled) return;
      emergency(bytes);
      input.push(bytes);
      pump();
    },
    pause(ms) {
      pausedUntil = performance.now() + ms;
      pump(); // a pause may end sooner than was said
    },
    isIdle: () => isKilled || (!isWorking && queue.length === 0 && !input.hasLine()),
  };
}

/** The exclusive or of all characters. */
export function checksum(text: string): number {
  let sum = 0;
  for (let at = 0; at < text.length; at++) sum ^= text.charCodeAt(at);
  return sum & 0xff;
}
