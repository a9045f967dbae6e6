import type { DeviceEvent } from '../protocols/port.ts';
import type { DeviceReporter } from '../reporter.ts';

/** Tells what a device says by itself. @param say changes why it is as it is, in its row */
export function tellOf(
  deviceId: string,
  reporter: DeviceReporter,
  { say }: { say(reason: string | null): void },
): (event: DeviceEvent) => void {
  return (event) => {
    switch (event.kind) {
      case 'readings':
        reporter.readings(
          deviceId,
          event.readings.flatMap(({ name, value, target }) => [
            { metric: name, value },
            ...(target === undefined ? [] : [{ metric: `${name}.target`, value: target }]),
          ]),
        );
        return;
      case 'log':
        reporter.log(deviceId, { direction: 'in', level: 'info', line: event.line });
        return;
      case 'state':
        reporter.state(deviceId, { status: 'connected', activity: event.state.slice(0, 100) });
        return;
      case 'reset':
        reporter.log(deviceId, { direction: 'in', level: 'warn', line: 'the device started anew' });
        say(`The device started anew at ${new Date().toISOString()}: what it was told before is forgotten.`);
        return;
      case 'alarm':
        reporter.log(deviceId, { direction: 'in', level: 'error', line: event.message });
        reporter.state(deviceId, { status: 'connected', reason: event.message, activity: 'alarm' });
        say(`alarm: ${event.message}`);
        return;
    }
  };
}
