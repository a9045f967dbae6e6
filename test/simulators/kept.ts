import { type RunningSimulator, startSimulator } from './start.ts';

/** Simulators of a file of tests, which end with it. */
export function keepSimulators() {
  const running: RunningSimulator[] = [];
  return {
    /** @param args as after `npm run simulate --` */
    async start(...args: string[]): Promise<RunningSimulator> {
      const simulator = await startSimulator(args);
      running.push(simulator);
      return simulator;
    },
    async stopAll(): Promise<void> {
      for (const one of running) await one.stop();
    },
  };
}
