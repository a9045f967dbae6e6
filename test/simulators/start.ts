import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Control } from './control.ts';
import type { FaultName } from './faults.ts';
import type { RecordReport } from './record.ts';

export type Report = RecordReport & { faults: Record<FaultName, number>; isIdle: boolean };

/** A simulator that runs as a program of its own, as users start it. */
export interface RunningSimulator {
  /** As a device's connection string. */
  address: string;
  /** Does this. @returns what it received and did so far. */
  tell(control: Control): Promise<Report>;
  stop(): Promise<void>;
}

/** @param args as after `npm run simulate --` */
export async function startSimulator(args: readonly string[]): Promise<RunningSimulator> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('main.ts', import.meta.url)), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const exited = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the simulator (${args.join(' ')}) is gone`);
    return value;
  };
  const { address } = JSON.parse(await read()) as { address: string }; // main.ts prints it
  return {
    address,
    async tell(control) {
      child.stdin.write(`${JSON.stringify(control)}\n`);
      const answer = JSON.parse(await read()) as Report | { error: string }; // control.ts answers each line
      if ('error' in answer) throw new Error(answer.error);
      return answer;
    },
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}
