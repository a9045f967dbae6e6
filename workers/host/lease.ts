import { createHash } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Lease } from '../../domain/system/host-access.ts';
import { ApiRefusal, type PlatformApi } from '../../drivers/platform-api/client.ts';
import type { Logger } from '../../logs.ts';

const KEEP_EVERY_MS = 2_500;

const LOOK_EVERY_MS = 100;

export interface HeldLease {
  generation: number;
  /** Resolves once the platform has heard over the bus that the host is there, and how its machine is. */
  untilKnown(signal: AbortSignal): Promise<void>;
  release(): Promise<void>;
}

export interface LeaseEvents {
  /** The name has another holder, or the host was deleted: it must stop, and this is why. */
  onLost(reason: string): void;
  /** The API answers again after it did not. */
  onBack(): void;
}

/**
 * Takes the host's name, waiting for the API as long as it takes, and keeps it. While the API is away nobody
 * can take the name, so the host goes on.
 * @throws ApiRefusal when the name is held elsewhere, or the credential is refused.
 */
export async function holdLease(
  { api, dataDir }: { api: PlatformApi; dataDir: string },
  { onLost, onBack }: LeaseEvents,
  log: Logger,
): Promise<HeldLease> {
  const { generation } = await take(api, dataDir, log);
  let away = false;

  async function keep(): Promise<void> {
    try {
      await api.ask('PUT', '/api/host/lease', Lease, { generation });
      if (away) onBack();
      away = false;
    } catch (error) {
      if (error instanceof ApiRefusal && (error.status === 401 || error.status === 409)) {
        clearInterval(keeping);
        return onLost(error.message);
      }
      if (!away) log.warn({ err: error }, 'the API does not answer; the host goes on');
      away = true;
    }
  }
  const keeping = setInterval(() => void keep(), KEEP_EVERY_MS);
  return {
    generation,
    async untilKnown(signal) {
      while (!signal.aborted) {
        const lease = await api.ask('PUT', '/api/host/lease', Lease, { generation }).catch(() => undefined);
        if (lease?.is_known) return;
        await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
      }
    },
    async release() {
      clearInterval(keeping);
      await api.ask('PUT', '/api/host/lease', Lease, { generation, release: true }).catch(() => {
        // Without the API, or without the name, there is nothing to release.
      });
    },
  };
}

async function take(api: PlatformApi, dataDir: string, log: Logger): Promise<Lease> {
  const request = { place: placeOf(dataDir), machine: hostname().slice(0, 255) || 'unknown' };
  for (let told = false; ; told = true) {
    try {
      return await api.ask('POST', '/api/host/lease', Lease, request);
    } catch (error) {
      if (error instanceof ApiRefusal && error.status < 500) throw error;
      if (!told) log.warn({ err: error }, 'waiting for the API');
      await delay(500);
    }
  }
}

/**
 * This data folder on this machine, which only one process has at a time (lock.ts). A copy of the folder, here or
 * on another machine, is another place.
 */
function placeOf(dataDir: string): string {
  const { ino, dev, birthtimeMs } = statSync(dataDir);
  const parts = [machineId(), hostname(), realpathSync(dataDir), dev, ino, birthtimeMs];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return ''; // not every system has one; the rest tells machines apart
  }
}
