import type { KnownSettings, SettingsOutcome } from '../../domain/myntrix/device-settings.ts';
import type { CommandRecord } from './give-command.ts';
import { heardSettings } from './settings/apply.ts';

/** Where it is kept what devices say of their settings. */
export interface HeardSettings {
  hear(
    answer: { id: string; deviceId: string; answeredAt: string; isLate: boolean },
    read: (known: KnownSettings, command: string) => SettingsOutcome | undefined,
  ): Promise<void>;
}

/**
 * The same record, which also notes what an answer says of the device's settings: somebody may ask for them by a
 * command of their own. That goes first: after whoever dies in between, the answer is recorded as one that was not heard.
 */
export function createHearingRecord<Kept extends CommandRecord>(record: Kept, settings: HeardSettings): Kept {
  return {
    ...record,
    async settle(answer) {
      const { id, deviceId, state, response, answeredAt, isAgain } = answer;
      if (state === 'acknowledged' && response && answeredAt !== null)
        await settings.hear({ id, deviceId, answeredAt, isLate: isAgain }, (known, command) =>
          heardSettings(known, command, response.split('\n')),
        );
      return record.settle(answer);
    },
  };
}
