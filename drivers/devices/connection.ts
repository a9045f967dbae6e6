import type { SettingsOutcome, WantedSettings } from '../../domain/myntrix/device-settings.ts';
import type { Json } from '../../domain/wire.ts';
import type { OutboundClient } from '../outbound/port.ts';
import type { OpenOptions, Transport } from './port.ts';
import type { DeviceProtocol } from './protocols/port.ts';

/** A device that is spoken to by messages, registers or requests: its protocol is one with its transport. */
export interface OpenDevice {
  readonly protocol: DeviceProtocol;
  /** Whose end is the connection's. It carries bytes only where messages are bytes (mqtt: to the command topic). */
  readonly transport: Transport;
}

export interface OpenDeviceOptions extends OpenOptions {
  /** Something came from the device. */
  onHeard(): void;
}

/** What connections to devices need of their host. */
export interface DeviceMeans {
  /** Values of the secrets that the device's configuration names; those that there are not are left out. */
  secrets(deviceId: string, names: readonly string[]): Promise<Record<string, Json>>;
  settings: SettingsSource;
  /** A way out of its own for a device behind `http(s)://`, with the rules about addresses: none waits for another. */
  createOutbound(): OutboundClient;
}

/** Where the settings of devices are kept. */
export interface SettingsSource {
  /** @returns null for a device that has none. @throws when nobody can be asked now */
  wanted(deviceId: string): Promise<WantedSettings | null>;
  /** @throws when nobody can be told now */
  tell(deviceId: string, outcome: SettingsOutcome): Promise<void>;
}
