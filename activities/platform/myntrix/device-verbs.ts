import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Static } from 'typebox';
import { v7 as uuidv7 } from 'uuid';
import { createDeviceCommandStore } from '../../../db/myntrix/device-commands.ts';
import { createDeviceSettingsRepository } from '../../../db/myntrix/device-settings.ts';
import { createDeviceSteps, type FoundDevice } from '../../../db/myntrix/device-steps.ts';
import { createDeviceRepository } from '../../../db/myntrix/devices.ts';
import type { Database } from '../../../db/orm.ts';
import { AppError } from '../../../domain/errors.ts';
import { COMMAND_TIMEOUT_MS, type DeviceCommand } from '../../../domain/myntrix/device-commands.ts';
import { type DeviceAction, deviceUpdates } from '../../../domain/names.ts';
import type { ProblemKind } from '../../../domain/neosyntis/problems.ts';
import type {
  deviceCommandArguments,
  deviceOrderArguments,
} from '../../../domain/neosyntis/verbs/devices.ts';
import type { Json } from '../../../domain/wire.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import { createHostAsker } from '../../../drivers/devices/ask-hosts.ts';
import { createHearingRecord } from '../../../drivers/devices/command-record.ts';
import { createCommandGiver } from '../../../drivers/devices/give-command.ts';
import { checkCommand } from '../../../drivers/devices/protocols/command-text.ts';
import { tellDevice } from '../../../drivers/devices/tell.ts';
import { derivedId } from '../neosyntis/derived-id.ts';
import { beating } from '../neosyntis/outbound/beating.ts';
import { verbFailure } from '../neosyntis/outbound/failures.ts';
import type { VerbCall, VerbImplementation } from '../neosyntis/verbs.ts';

const LOOK_FIRST_MS = 20;
const LOOK_EVERY_MS = 250;
/** A host says again what nobody recorded: an answer that was lost with another worker comes within this time. */
const LATE_MS = 6_000;

export interface DeviceVerbDeps {
  database: Database;
  bus: Bus;
  client: Client;
}

/** `device.connect`, `device.disconnect` and `device.command`, by the owner of the run. */
export function createDeviceVerbs({
  database,
  bus,
  client,
}: DeviceVerbDeps): Record<string, VerbImplementation> {
  const steps = createDeviceSteps(database);
  const devices = createDeviceRepository(database);
  const record = createHearingRecord(
    createDeviceCommandStore(database),
    createDeviceSettingsRepository(database),
  );
  const give = createCommandGiver({ record, asker: createHostAsker(bus) });
  const publish = createNews(bus).events;

  async function found(device: string): Promise<FoundDevice> {
    const [one, ...others] = await steps.find(device);
    if (!one) throw refused('configuration', `There is no device "${device}".`);
    if (others.length > 0)
      throw refused('configuration', `More than one device is named "${device}"; give the id of one.`);
    return one;
  }

  /** As the owner of the run may now. */
  async function requireRight(runId: string) {
    const orderer = await steps.orderer(runId);
    if (!orderer?.mayOrder) throw refused('authorization', 'The owner of this run may not use devices.');
    return orderer;
  }

  async function order(action: DeviceAction, call: VerbCall, signal: AbortSignal): Promise<Json> {
    const until = performance.now() + call.timeoutMs;
    const { id, name } = await found((call.args as Static<typeof deviceOrderArguments>).device); // checked against it
    await requireRight(call.runId);
    const given = await devices.order(id, action).catch((error: unknown) => {
      throw error instanceof AppError ? refused('runtime', error.message) : error;
    });
    publish(given.events);
    if (given.isNew) await tellDevice(client, id, action, given.epoch);
    for (let pauseMs = LOOK_FIRST_MS; ; pauseMs = Math.min(LOOK_EVERY_MS, pauseMs * 1.5)) {
      const now = await steps.look(id);
      if (!now) throw refused('runtime', `The device "${name}" was deleted meanwhile.`);
      if (now.status === (action === 'connect' ? 'connected' : 'disconnected'))
        return {
          device_id: id,
          name,
          status: now.status,
          protocol: now.protocol,
          firmware_version: now.firmwareVersion,
        };
      // It goes on trying by itself, but for a reason that no attempt mends.
      if (performance.now() >= until)
        throw refused(
          now.status === 'error' ? 'runtime' : 'timeout',
          `The device "${name}" is ${now.status} after ${call.timeoutMs / 1000} s${now.statusReason === null ? '' : `: ${now.statusReason}`}.`,
        );
      await delay(pauseMs, undefined, { signal });
    }
  }

  async function command(call: VerbCall, signal: AbortSignal): Promise<Json> {
    const { runId, path, iteration, attempt } = call;
    const args = call.args as Static<typeof deviceCommandArguments>; // checked against it
    const { command: text, timeout_ms: timeoutMs = Math.min(COMMAND_TIMEOUT_MS, call.timeoutMs) } = args;
    const device = await found(args.device);
    try {
      checkCommand(text, device.protocol ?? undefined);
    } catch (error) {
      throw refused('validation', error instanceof Error ? error.message : String(error));
    }
    const { userId } = await requireRight(runId);
    const origin = derivedId(runId, `${path} ${iteration.join('.')} ${attempt} command`);
    const before = await record.ofOrigin(origin);
    if (!before && device.status !== 'connected')
      throw refused('runtime', `The device "${device.name}" is ${device.status}: nothing was sent.`);
    const given = { id: uuidv7(), device, command: text, timeoutMs, requestedBy: userId, runId, origin };
    const known = before
      ? await later(device.id, before, signal)
      : await give(given).catch((error: unknown) => {
          throw error instanceof AppError ? refused('communication', error.message) : error;
        });
    if (known.state === 'acknowledged')
      return { id: known.id, device_id: device.id, state: known.state, response: known.response };
    const why = known.reason ?? 'no reason is known';
    if (known.state === 'failed')
      throw refused('runtime', `"${device.name}" did not do ${JSON.stringify(text)}: ${why}`);
    throw verbFailure({
      kind: 'communication',
      detail: `Whether "${device.name}" did ${JSON.stringify(text)} is unknown: ${why}`,
      outcomeUnknown: true,
    });
  }

  /** What is recorded of a command that a worker gave which is no more; nothing is sent again. */
  async function later(deviceId: string, before: DeviceCommand, signal: AbortSignal): Promise<DeviceCommand> {
    let known = before;
    for (const until = performance.now() + LATE_MS; ; await delay(LOOK_EVERY_MS, undefined, { signal })) {
      if (known.state !== 'unknown' || known.reason !== null || performance.now() >= until) return known;
      known = (await record.get(deviceId, before.id)) ?? known;
    }
  }

  const actions = Object.keys(deviceUpdates) as DeviceAction[]; // its keys are the actions
  return {
    ...Object.fromEntries(
      actions.map((action): [string, VerbImplementation] => [
        `device.${action}`,
        (call) => beating((signal) => order(action, call, signal)),
      ]),
    ),
    'device.command': (call) => beating((signal) => command(call, signal)),
  };
}

const refused = (kind: ProblemKind, detail: string) => verbFailure({ kind, detail });
