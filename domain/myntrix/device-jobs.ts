import { type Static, Type } from 'typebox';
import { AnyJson, Id, type Json, literals } from '../wire.ts';
import type { Flasher } from './flashers.ts';

/** What a job of a device does with its file. */
export const deviceJobTypes = ['gcode', 'device_upload', 'firmware'] as const;
export type DeviceJobType = (typeof deviceJobTypes)[number];

/** How a job stands; `lost`: its host does not answer, `held`: a person decides, `aborting`: and has decided so. */
export const deviceJobStates = [
  'queued',
  'running',
  'lost',
  'held',
  'aborting',
  'completed',
  'failed',
  'cancelled',
] as const;
export type DeviceJobState = (typeof deviceJobStates)[number];

export type DeviceJobWanted = 'run' | 'pause' | 'cancel';

export type DeviceJobWork =
  /** G-code from a line of the file on, after commands that bring the machine to where that line begins. */
  | { kind: 'run'; fromLine: number; restore: string[] }
  /** G-code to the device's card. */
  | { kind: 'store'; name: string }
  | { kind: 'firmware'; flasher: Flasher }
  /** Any file, in acknowledged chunks. */
  | { kind: 'file'; name: string; chunkBytes: number };

/** Commands that are sent when a program is paused, goes on, or is cancelled. */
export interface SafeSequences {
  pause: string[] | null;
  resume: string[] | null;
  cancel: string[] | null;
}

/** What a host is asked to do; numbered by `attempt`, and no attempt is begun twice. */
export interface DeviceJobOrder {
  id: string;
  deviceId: string;
  connectionString: string;
  defaultPort: number | null;
  attempt: number;
  wanted: DeviceJobWanted;
  file: { uploadId: string; name: string; sizeBytes: number; sha256: string };
  work: DeviceJobWork;
  sequences: SafeSequences;
}

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const DeviceJobProgress = Type.Object({
  /** Of this attempt. */
  acknowledgedLines: count,
  /** Of the file. */
  acknowledgedBytes: count,
  /** Of the file, from 1; 0 before the first. */
  acknowledgedLine: count,
  /** Lines sent in this attempt: what is more than those acknowledged may have been done or not. */
  sentLines: count,
});
export type DeviceJobProgress = Static<typeof DeviceJobProgress>;

export const noProgress: DeviceJobProgress = {
  acknowledgedLines: 0,
  acknowledgedBytes: 0,
  acknowledgedLine: 0,
  sentLines: 0,
};

/** How an attempt ended. */
export type DeviceJobEnd =
  | { kind: 'completed'; progress: DeviceJobProgress; result: Json; output?: string }
  /** `safe`: whether its safe sequence was sent, and why not all of it. */
  | {
      kind: 'cancelled';
      progress: DeviceJobProgress;
      reason?: string;
      output?: string;
      safe?: { sent: boolean; reason?: string };
    }
  | { kind: 'failed'; progress: DeviceJobProgress; reason: string; output?: string }
  /** It cannot go on by itself. `machine` is where the program has brought the machine by the last line acknowledged. */
  | { kind: 'held'; progress: DeviceJobProgress; reason: string; machine: Json };

/** What a host knows of an attempt. */
export type DeviceJobLook = { kind: 'running' } | { kind: 'unbegun' } | DeviceJobEnd;

/** What a host says of a job that it has, about once a second. */
const DeviceJobReport = Type.Object({
  id: Id,
  attempt: Type.Integer({ minimum: 1 }),
  seq: count,
  activity: literals(['connecting', 'running', 'paused']),
  progress: DeviceJobProgress,
  reason: Type.Optional(Type.String({ maxLength: 2_000 })),
  output: Type.Optional(Type.Object({ offset: count, text: Type.String({ maxLength: 16_384 }) })),
});
export type DeviceJobReport = Static<typeof DeviceJobReport>;

/** Reports of one message. */
export const MESSAGE_DEVICE_JOBS = 50;
export const DeviceJobReports = Type.Object({
  reports: Type.Array(DeviceJobReport, { maxItems: MESSAGE_DEVICE_JOBS }),
});

const Command = Type.String({
  minLength: 1,
  maxLength: 250,
  // One line of printable characters.
  pattern: '^[\\x20-\\x7e\\xa1-\\xff]+$',
});

export const Decision = Type.Union(
  [
    Type.Object(
      {
        action: Type.Literal('resume'),
        fromLine: Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: 'of the file, from 1' }),
        restore: Type.Optional(
          Type.Array(Command, {
            maxItems: 100,
            description:
              'sent first, each acknowledged before the next: heat up, home, go where the line begins',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    Type.Object({ action: Type.Literal('cancel') }, { additionalProperties: false }),
  ],
  { $id: 'JobDecision' },
);
export type Decision = Static<typeof Decision>;

/** A device's queue, the job that is under way first. */
export const QueuedJob = Type.Object(
  {
    id: Id,
    name: Type.String(),
    type: literals(deviceJobTypes),
    state: literals(deviceJobStates),
    progress: Type.Number(),
    details: AnyJson,
  },
  { $id: 'QueuedDeviceJob' },
);
export type QueuedJob = Static<typeof QueuedJob>;

export const QueueOrder = Type.Object(
  {
    order: Type.Array(Id, {
      minItems: 1,
      maxItems: 1_000,
      uniqueItems: true,
      description: 'jobs that wait, as they are to come; those left out come after them',
    }),
  },
  { additionalProperties: false },
);

/** The last bytes of a flasher's output that are kept. */
export const OUTPUT_LIMIT_BYTES = 200 * 1024;
