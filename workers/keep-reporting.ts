/** What a host looks after, as far as it tells of it. */
export interface Reported<T> {
  reports(): T[];
  /** @returns what ends it */
  onChange(listener: (report: T) => void): () => void;
}

export interface ReportingOptions<T> {
  bus: { onConnect(listener: () => void): void };
  source: Reported<T>;
  /** What is told is at most so old; a message that the bus lost is made up for by the next. */
  everyMs: number;
  /** Reports that go into one message. */
  most: number;
  /** Sends a message when there is nothing to report, too: that there is nothing, or its other fields, are news. */
  isSentEmpty?: boolean;
  send(reports: T[]): void;
}

/** Tells of what a host looks after: at once what changes, and all of it now and then and when the bus is back. */
export function keepReporting<T>(options: ReportingOptions<T>): { stop(): void } {
  const { bus, source, everyMs, most, isSentEmpty = false, send } = options;
  const all = (): void => {
    const reports = source.reports();
    if (reports.length === 0 && isSentEmpty) send(reports);
    for (let at = 0; at < reports.length; at += most) send(reports.slice(at, at + most));
  };
  const forget = source.onChange((report) => send([report]));
  bus.onConnect(all);
  const timer = setInterval(all, everyMs);
  return {
    stop() {
      forget();
      clearInterval(timer);
    },
  };
}
