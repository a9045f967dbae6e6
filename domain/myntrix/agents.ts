import { type Static, Type } from 'typebox';
import { Id, literals, nullable, Time } from '../wire.ts';
import { AgentConfiguration } from './agent-configuration.ts';
import { HealthParts, LastEnd } from './agent-reports.ts';

export const agentStatuses = ['stopped', 'starting', 'running', 'stopping', 'error', 'unknown'] as const;
export type AgentStatus = (typeof agentStatuses)[number];

/** What a host can know of its agent; that the host itself is lost makes it `unknown`. */
export type HostAgentStatus = Exclude<AgentStatus, 'unknown'>;

const Name = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001f]+$',
  examples: ['collector'],
});
const Label = Type.String({ maxLength: 100, pattern: '^[^\\u0000-\\u001f]*$', examples: ['ingest'] });

export const Agent = Type.Object(
  {
    id: Id,
    name: Name,
    type: Type.String({ description: 'a free label, for people' }),
    owner_id: nullable(Id),
    status: Type.Unsafe<AgentStatus>(
      Type.Enum([...agentStatuses], { description: '`unknown` while its host is lost' }),
    ),
    desired: literals(['running', 'stopped'] as const),
    health: Type.Integer({ minimum: 0, maximum: 100 }),
    healthParts: HealthParts,
    lastRun: nullable(Time),
    configuration: AgentConfiguration,
    host: Type.String(),
    pid: nullable(Type.Integer()),
    restarts: Type.Integer({ minimum: 0 }),
    cpuPercent: Type.Number({ minimum: 0 }),
    memoryBytes: Type.Integer({ minimum: 0 }),
    uptimeSeconds: Type.Integer({ minimum: 0 }),
    logBytes: Type.Integer({ minimum: 0 }),
    lastEnd: nullable(LastEnd),
    createdAt: Time,
    updatedAt: Time,
  },
  { $id: 'Agent' },
);
export type Agent = Static<typeof Agent>;

export const NewAgent = Type.Object(
  { name: Name, type: Type.Optional(Label), configuration: AgentConfiguration },
  {
    additionalProperties: false,
    examples: [{ name: 'clock', configuration: { command: 'sleep', args: ['3600'] } }],
  },
);
export type NewAgent = Static<typeof NewAgent>;

/** Read-only fields count when they are unchanged. */
export const AgentUpdate = Type.Partial(
  Type.Object({ ...Agent.properties, name: Name, type: Label }, { additionalProperties: false }),
);

export type AgentUpdate = Static<typeof AgentUpdate>;

export const AgentStarted = Type.Object({ job_id: Id, agent: Agent }, { $id: 'AgentStarted' });

export const AgentLogPage = Type.Object(
  {
    offset: Type.Integer({
      description: 'where the text begins: later than asked for when that is not kept any more',
    }),
    nextOffset: Type.Integer({ description: 'bytes; ask for this next' }),
    text: Type.String(),
    total: Type.Integer({ description: 'bytes that it printed until now' }),
  },
  { $id: 'AgentLogPage' },
);
