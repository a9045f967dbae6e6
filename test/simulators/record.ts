import { createHash, type Hash } from 'node:crypto';

/** What a device received and what it did: the proof that no line was lost or doubled. */
export interface DeviceRecord {
  bytes(count: number): void;
  /** A line as it came, before it was checked. */
  received(line: string): void;
  /** A line that the device carried out, without number and checksum. */
  executed(line: string): void;
  report(): RecordReport;
  clear(): void;
}

export interface RecordReport {
  bytes: number;
  received: number;
  /** The last lines as they came. */
  last: string[];
  /** Motion alone (lines with a G): what jobs consist of, without what a session asks in between. */
  motions: number;
  sha256: string;
  /** What was carried out, up to a limit, with what a session asked. */
  executed: string[];
}

const KEPT_LAST = 200;
const KEPT = 20_000;

export function createRecord(): DeviceRecord {
  let hash: Hash;
  let record: Omit<RecordReport, 'sha256'>;
  const clear = (): void => {
    hash = createHash('sha256');
    record = { bytes: 0, received: 0, last: [], motions: 0, executed: [] };
  };
  clear();
  return {
    bytes: (count) => {
      record.bytes += count;
    },
    received(line) {
      record.received += 1;
      record.last.push(line);
      if (record.last.length > 2 * KEPT_LAST) record.last = record.last.slice(-KEPT_LAST);
    },
    executed(line) {
      if (line.startsWith('G')) {
        record.motions += 1;
        hash.update(`${line}\n`);
      }
      if (record.executed.length < KEPT) record.executed.push(line);
    },
    report: () => ({ ...record, last: record.last.slice(-KEPT_LAST), sha256: hash.copy().digest('hex') }),
    clear,
  };
}
