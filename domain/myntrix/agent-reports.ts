import { type Static, Type } from 'typebox';
import { Id, literals, nullable, Time } from '../wire.ts';
import type { AgentConfiguration } from './agent-configuration.ts';

/** Why an agent's process is not the one that ran before, or why it ended. */
export const endCauses = ['exit', 'memory', 'health', 'not_started', 'lost'] as const;

export const HealthParts = Type.Object({
  liveness: Type.Number({ minimum: 0, maximum: 40 }),
  checks: Type.Number({ minimum: 0, maximum: 30 }),
  restarts: Type.Number({ minimum: 0, maximum: 20 }),
  resources: Type.Number({ minimum: 0, maximum: 10 }),
});
export type HealthParts = Static<typeof HealthParts>;

/** How the last process of an agent ended. */
export const LastEnd = Type.Object({
  cause: literals(endCauses),
  code: nullable(Type.Integer({ description: 'its exit code, where it is known' })),
  signal: nullable(Type.String({ maxLength: 20 })),
  message: Type.String({ maxLength: 2_000 }),
  at: Time,
  log: Type.String({ maxLength: 8_192, description: 'the last lines that it printed' }),
});
export type LastEnd = Static<typeof LastEnd>;

/** What a host says of one of its agents; a later one has a higher `seq` within an epoch. */
export const AgentReport = Type.Object({
  id: Id,
  /** Of the order that the host follows; a later order has a higher one. */
  epoch: Type.Integer({ minimum: 0 }),
  seq: Type.Integer({ minimum: 0 }),
  status: literals(['stopped', 'starting', 'running', 'stopping', 'error'] as const),
  pid: nullable(Type.Integer({ minimum: 1 })),
  startedAt: nullable(Time),
  /** Restarts by the host since the agent was started. */
  restarts: Type.Integer({ minimum: 0 }),
  health: Type.Integer({ minimum: 0, maximum: 100 }),
  healthParts: HealthParts,
  /** Of one core, over the last sample. */
  cpuPercent: Type.Number({ minimum: 0 }),
  memoryBytes: Type.Integer({ minimum: 0 }),
  logBytes: Type.Integer({ minimum: 0 }),
  lastEnd: nullable(LastEnd),
});
export type AgentReport = Static<typeof AgentReport>;

/** What a host is told to run. */
export interface AgentOrder {
  id: string;
  name: string;
  epoch: number;
  configuration: AgentConfiguration;
}

export const MESSAGE_AGENTS = 50;

/** What a host says of some of its agents over the bus. */
export const AgentReports = Type.Object({
  reports: Type.Array(AgentReport, { maxItems: MESSAGE_AGENTS }),
});

/** A piece of output that a host is asked for. */
export interface AgentLogRequest {
  request: string;
  id: string;
  offset: number;
  limit: number;
  /** How long it waits for something to be there. */
  waitMs: number;
}

export const AgentLogAnswer = Type.Object({
  request: Type.String({ maxLength: 100 }),
  /** The host never had the agent. */
  missing: Type.Optional(Type.Boolean()),
  offset: Type.Integer({ minimum: 0 }),
  nextOffset: Type.Integer({ minimum: 0 }),
  text: Type.String({ maxLength: 400_000 }),
  total: Type.Integer({ minimum: 0 }),
});
export type AgentLogAnswer = Static<typeof AgentLogAnswer>;
