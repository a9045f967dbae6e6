import { setTimeout as delay } from 'node:timers/promises';
import type { WantedSettings } from '../../../domain/myntrix/device-settings.ts';
import type { SettingsSource } from '../connection.ts';
import type { DeviceProtocol } from '../protocols/port.ts';
import { applySettings } from './apply.ts';

/** Of each command. */
const EACH_MS = 10_000;
/** The platform is asked again after that, while the connection lasts. */
const AGAIN_MS = 5_000;

/** Nobody waits longer for the platform before the device can be used. */
const ASK_MS = 2_000;

/**
 * Brings a device that was just connected to to its settings, and tells what came of it. When the platform cannot be
 * asked at this moment, that goes on behind: the device can be used without it. A program or an upload that has begun
 * meanwhile goes to its end first: it is not to find another machine in its middle, and what is being written to a card
 * would take the commands in.
 * @param signal ends with the connection, or when the device starts anew
 * @param isHeld whether somebody has the device for themselves
 * @param tellLate what went wrong behind
 * @returns what went wrong and does not hinder the connection
 */
export async function keepSettings(
  deviceId: string,
  protocol: DeviceProtocol,
  source: SettingsSource,
  signal: AbortSignal,
  { isHeld, tellLate }: { isHeld(): boolean; tellLate(problem: string): void },
): Promise<string | undefined> {
  async function apply(wanted: WantedSettings | null): Promise<string | undefined> {
    if (!wanted || signal.aborted) return undefined;
    const command = async (text: string) => {
      signal.throwIfAborted();
      return protocol.command(text, { timeoutMs: EACH_MS });
    };
    const outcome = await applySettings(command, protocol.name, wanted);
    if (signal.aborted) return undefined;
    await source.tell(deviceId, outcome);
    const names = Object.keys(outcome.problems).slice(0, 10);
    return names.length === 0 ? undefined : `settings that are not as they are wanted: ${names.join(', ')}`;
  }
  try {
    const late = delay(ASK_MS, undefined, { signal, ref: false }).then(() => {
      throw new Error(`no answer within ${ASK_MS} ms`);
    });
    late.catch(() => {}); // when the answer came first
    return await apply(await Promise.race([source.wanted(deviceId), late]));
  } catch {
    void again(async () => {
      const wanted = await source.wanted(deviceId);
      if (isHeld()) throw new Error('somebody has the device for themselves');
      const problem = await apply(wanted);
      if (problem !== undefined && !signal.aborted) tellLate(problem);
    }, signal);
    return undefined;
  }
}

async function again(once: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted)
    try {
      await delay(AGAIN_MS, undefined, { signal, ref: false });
      await once();
      return;
    } catch {
      // asked again, or over
    }
}
