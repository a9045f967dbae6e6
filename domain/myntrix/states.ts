export const stateKinds = ['agent', 'device', 'host'] as const;
export type StateKind = (typeof stateKinds)[number];

/** Of an agent, device or host: what a change of is kept, as the triggers of the database write it. */
export interface StateAt {
  name: string;
  status: string;
  type?: string;
  host?: string;
  desired?: string;
  mocked?: boolean;
  /** As configured, by people. */
  position?: unknown;
  visual?: unknown;
  devices?: unknown;
}
