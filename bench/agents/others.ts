import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sendSignal } from '../../drivers/processes/proc.ts';
import { execute, installPm2, installSupervisor } from './peers.ts';
import { crashes, type Stamps } from './stamps.ts';

/** What another supervisor did with processes whose supervisor was killed. */
export interface After {
  ran: number;
  /** The same process, looked after again. */
  adopted: number;
  /** Started although the first one runs. */
  second_copies: number;
}

export interface Peer {
  crashes(count: number): Promise<number[]>;
  /** Kills it, starts it again as its manual says, and looks. */
  killed(): Promise<After>;
  close(): Promise<void>;
}

const names = (prefix: string) => Array.from({ length: 10 }, (_, at) => `${prefix}-${at}`);
const SETTLED_MS = 4_000;

async function afterwards(stamps: Stamps, all: string[], restart: () => Promise<void>): Promise<After> {
  const before = new Map(all.map((name) => [name, stamps.of(name)]));
  await restart();
  await delay(SETTLED_MS);
  const copies = all.filter((name) => {
    const first = before.get(name)?.at(-1)?.pid ?? 0;
    return stamps.of(name).length > (before.get(name)?.length ?? 0) && sendSignal(first, 0);
  });
  return { ran: all.length, adopted: 0, second_copies: copies.length };
}

const killAll = (stamps: Stamps, all: string[]) => {
  for (const name of all) for (const { pid } of stamps.of(name)) sendSignal(pid, 'SIGKILL');
};

export async function startPm2(stamps: Stamps): Promise<Peer> {
  const program = await installPm2();
  const home = mkdtempSync(join(tmpdir(), 'vareon-pm2-'));
  const env = { ...process.env, PM2_HOME: home };
  const pm2 = (...args: string[]) => execute(program, args, { env });
  const all = names('pm2');
  const apps = all.map((name) => ({
    ...{ name, script: stamps.program, args: name, interpreter: 'none', autorestart: true },
    ...{ max_restarts: 100_000, min_uptime: 0, cwd: stamps.folder },
  }));
  writeFileSync(join(home, 'apps.json'), JSON.stringify({ apps }));
  await pm2('start', join(home, 'apps.json'));
  for (const name of all) await stamps.next(name, 0);
  return {
    crashes: (count) => crashes(stamps, 'pm2-0', count),
    async killed() {
      await pm2('save');
      process.kill(Number(readFileSync(join(home, 'pm2.pid'), 'utf8')), 'SIGKILL');
      return afterwards(stamps, all, async () => void (await pm2('resurrect')));
    },
    async close() {
      await pm2('kill').catch(() => {});
      killAll(stamps, all);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export async function startSupervisor(stamps: Stamps): Promise<Peer> {
  const bin = await installSupervisor();
  const folder = mkdtempSync(join(tmpdir(), 'vareon-supervisor-'));
  const all = names('supervisor');
  const programs = all.map(
    (name) =>
      `[program:${name}]\ncommand=${stamps.program} ${name}\nautorestart=true\nstartsecs=0\nstartretries=100000\n`,
  );
  const file = join(folder, 'supervisord.conf');
  const head = `[supervisord]\nnodaemon=true\nlogfile=${folder}/log\npidfile=${folder}/pid\nchildlogdir=${folder}\n`;
  writeFileSync(file, `${head}${programs.join('')}`);
  const start = () => spawn(join(bin, 'supervisord'), ['-c', file], { stdio: 'ignore', cwd: folder });
  let daemon = start();
  for (const name of all) await stamps.next(name, 0);
  return {
    crashes: (count) => crashes(stamps, 'supervisor-0', count),
    async killed() {
      daemon.kill('SIGKILL');
      return afterwards(stamps, all, async () => {
        daemon = start();
      });
    },
    async close() {
      daemon.kill('SIGKILL');
      killAll(stamps, all);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
