import type { DeviceOrder } from '../../../domain/myntrix/device-reports.ts';
import type { DeviceMeans } from '../connection.ts';
import type { DeviceReporter } from '../reporter.ts';
import { keepSettings } from '../settings/keep.ts';
import { type Connection, connectDevice, type OpenTransport } from './connect.ts';
import { createLive, type OwnedLive } from './live.ts';
import type { LiveEnd } from './port.ts';
import { type SettledIn, settleIn } from './settle-in.ts';
import { watchSilence } from './silence.ts';
import type { SessionStatus } from './status.ts';
import { tellOf } from './telling.ts';

/** What a device that talks by itself may be silent before one is told. */
const SILENT_MS = 10_000;

/** The ways to the device there are now. */
export interface Ways {
  /** The connection under way. */
  current: OwnedLive | undefined;
  /** The same once others may use it: it has been told all that it is told first. */
  live: OwnedLive | undefined;
  /** There before the device has said who it is. */
  stoppable: { emergencyStop(): Promise<void> } | undefined;
}

interface HoldDeps {
  open: OpenTransport;
  means: DeviceMeans;
  reporter: DeviceReporter;
  status: SessionStatus;
  /** Ends the connection. */
  signal: AbortSignal;
  emergencyStop(): Promise<void>;
}

/**
 * One connection to a device, from its first byte to its end: tells it what its configuration and its settings want,
 * once more when it starts anew, and says in its status how it is.
 * @throws what `connectDevice` does
 */
export async function holdConnection(order: DeviceOrder, ways: Ways, deps: HoldDeps): Promise<LiveEnd> {
  const { open, means, reporter, status, signal, emergencyStop } = deps;
  const { set, say } = status;
  const connection = await connectDevice(order, {
    open,
    means,
    signal,
    onHeard: status.heard,
    onProtocol: (protocol) => {
      ways.stoppable = protocol;
    },
  });
  const { transport, protocol, identity } = connection;
  if (ways.stoppable !== protocol) {
    protocol.close();
    await transport.close();
    return { kind: 'emergency', reason: 'an emergency stop came while the device said who it is' };
  }
  /** While it was told what it is told first. */
  let startedAnew = false;
  const mine = createLive(order, connection, {
    stop: emergencyStop,
    onEvent: (event) => {
      tell(event);
      if (event.kind !== 'reset') return;
      if (ways.live === mine) void settleAgain();
      else startedAnew = true;
    },
  });
  const tell = tellOf(order.id, reporter, {
    say: (reason) => void (ways.live === mine && say('connected', reason)),
  });
  let telling = new AbortController();
  /** What was told before the device fell silent. */
  let before: string | null = null;
  const over = new AbortController();
  void mine.ended.then(() => over.abort());

  /** Nothing once the connection is over, however long the work would take. */
  const whileOpen = <T>(work: Promise<T>): Promise<T | undefined> =>
    Promise.race([work, mine.ended.then(() => undefined)]);

  /** Beside what is told already; whoever reads it is not to read the same twice. */
  function addProblem(problem: string): void {
    if (ways.live !== mine) return;
    const { status: is, reason } = status.now();
    if (is === 'connected') say(is, joined(reason, problem));
    else before = joined(before, problem);
  }

  /**
   * What it forgets when it starts anew; what could move something is sent when an order connects it, and not again.
   * Nothing when it started anew once more meanwhile: then that tells it all.
   */
  async function tellFirst(isAgain: boolean): Promise<SettledIn | undefined> {
    telling.abort();
    telling = new AbortController();
    const outdated = AbortSignal.any([over.signal, telling.signal]);
    const isCalm = isAgain || status.now().emergencyNote !== null;
    const settled = await whileOpen(settleIn(mine.protocol, identity, order.configuration, isCalm));
    if (!settled || outdated.aborted) return undefined;
    if (status.now().emergencyNote !== null) return settled;
    // Nothing of it moves something; a controller that started anew has forgotten it.
    const unset = await whileOpen(
      keepSettings(order.id, mine.protocol, means.settings, outdated, {
        isHeld: () => mine.heldBy !== undefined,
        tellLate: addProblem,
      }),
    );
    if (outdated.aborted) return undefined;
    const problems = [settled.problem, unset].filter((one) => one !== undefined);
    return problems.length === 0 ? settled : { ...settled, problem: problems.join('; ') };
  }

  async function settleAgain(): Promise<void> {
    const settled = await tellFirst(true);
    if (!settled || ways.live !== mine) return;
    set({ safety: settled.safety });
    if (settled.problem !== undefined) addProblem(settled.problem);
  }

  const abort = () => mine.finish({ kind: 'closed' });
  signal.addEventListener('abort', abort, { once: true });
  void transport.ended.then((end) => mine.finish(end));
  if (signal.aborted) abort();
  ways.current = mine;
  let watch: ReturnType<typeof watchSilence> | undefined;
  try {
    const settled = await tellFirst(false);
    if (settled) {
      ways.live = mine;
      set({
        status: 'connected',
        reason: settled.problem ?? null,
        safety: settled.safety,
        mocked: transport.mocked,
        ...described(connection),
      });
      if (startedAnew) void settleAgain();
    }
    const { reportSeconds = 1 } = order.configuration;
    const reports = identity.details['Cap:AUTOREPORT_TEMP'] === '1' && reportSeconds > 0;
    if (protocol.name === 'grbl' || reports)
      watch = watchSilence(SILENT_MS + reportSeconds * 1_000, status.lastSeen, (silence) => {
        if (ways.live !== mine) return;
        if (silence === undefined) return say('connected', before);
        before = status.now().reason;
        say('error', silence);
      });
    return await mine.ended;
  } finally {
    watch?.stop();
    signal.removeEventListener('abort', abort);
    ways.live = undefined;
    ways.current = undefined;
    ways.stoppable = undefined;
    mine.finish({ kind: 'closed' });
    protocol.close();
    await transport.close();
  }
}

const joined = (reason: string | null, problem: string): string =>
  reason === null ? problem : reason.includes(problem) ? reason : `${reason}; ${problem}`;

const described = ({ protocol, identity }: Connection) => ({
  protocol: protocol.name,
  firmwareName: identity.firmwareName?.slice(0, 200) ?? null,
  firmwareVersion: identity.firmwareVersion?.slice(0, 200) ?? null,
});
