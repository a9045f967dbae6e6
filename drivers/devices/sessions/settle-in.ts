import type { DeviceConfiguration } from '../../../domain/myntrix/device-configuration.ts';
import type { DeviceSafety } from '../../../domain/myntrix/device-reports.ts';
import type { DeviceProtocol, Identity, ProtocolName } from '../protocols/port.ts';

/** For one of the commands that a device is told right after it was connected to. */
const EACH_MS = 10_000;

/** What happens at a device that nobody talks to any more, when nothing was asked for. */
const withoutSafety: Partial<Record<ProtocolName, string>> = {
  marlin:
    'When the host is lost, heaters stay on and motors stay powered: configuration.hostLossSafety.afterSeconds has Marlin turn them off (M85) when nothing has moved for so long.',
  grbl: 'When the host is lost, GRBL does what its buffer of 128 bytes holds and then stands; a spindle stays on, and so does a laser in M3. It has no way to notice.',
};
const NO_WAY =
  'When the host is lost, the device stays as it is: this protocol has no way to tell it to be safe then. configuration.hostLossSafety.commands can turn on what its firmware has for that.';

/** What Marlin tells by itself, and the command that says how often: temperatures, and where the tool is. */
const marlinReports = [
  ['AUTOREPORT_TEMP', 'M155'],
  ['AUTOREPORT_POS', 'M154'],
] as const;

export interface SettledIn {
  safety: DeviceSafety;
  /** What went wrong and does not hinder the connection. */
  problem?: string;
}

/**
 * Tells a device that was just connected to what its configuration wants: first what makes it safe, then reports, then
 * `onConnect`. After an emergency stop nothing that could move something is sent.
 */
export async function settleIn(
  protocol: DeviceProtocol,
  identity: Identity,
  configuration: DeviceConfiguration,
  isAfterEmergency: boolean,
): Promise<SettledIn> {
  const safety = await makeSafe(protocol, configuration);
  const problems: string[] = [];
  const { reportSeconds = 1, onConnect = [] } = configuration;
  for (const [capability, command] of protocol.name === 'marlin' ? marlinReports : []) {
    if (identity.details[`Cap:${capability}`] !== '1') continue;
    const problem = await problemOf(protocol, `${command} S${reportSeconds}`);
    if (problem !== undefined) problems.push(problem);
  }
  for (const command of isAfterEmergency ? [] : onConnect) {
    const problem = await problemOf(protocol, command);
    if (problem === undefined) continue;
    problems.push(`onConnect ${problem}; what comes after it was not sent`);
    break;
  }
  return { safety, ...(problems.length > 0 ? { problem: problems.join('; ') } : {}) };
}

async function makeSafe(
  protocol: DeviceProtocol,
  { hostLossSafety }: DeviceConfiguration,
): Promise<DeviceSafety> {
  if (!hostLossSafety) return { onHostLoss: 'none', detail: withoutSafety[protocol.name] ?? NO_WAY };
  const { afterSeconds, commands = [] } = hostLossSafety;
  if (afterSeconds !== undefined && protocol.name !== 'marlin')
    return {
      onHostLoss: 'refused',
      detail: `hostLossSafety.afterSeconds is Marlin’s (M85), and this device speaks ${protocol.name}.`,
    };
  const all = [...(afterSeconds === undefined ? [] : [`M85 S${afterSeconds}`]), ...commands];
  for (const command of all) {
    const problem = await problemOf(protocol, command);
    if (problem !== undefined)
      return { onHostLoss: 'refused', detail: `The firmware did not take it: ${problem}.` };
  }
  return all.length === 0
    ? { onHostLoss: 'none', detail: 'hostLossSafety is empty.' }
    : { onHostLoss: 'configured', detail: `The firmware took ${all.join(', ')}.` };
}

/** @returns why it was not acknowledged */
async function problemOf(protocol: DeviceProtocol, command: string): Promise<string | undefined> {
  try {
    const { state, reason } = await protocol.command(command, { timeoutMs: EACH_MS });
    return state === 'acknowledged' ? undefined : `${command}: ${state} (${reason ?? 'no reason is known'})`;
  } catch (error) {
    return `${command}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
