import { Type } from 'typebox';
import { type AgentAction, agentUpdates } from '../../names.ts';
import type { Verb } from '../verbs.ts';

const said: Record<AgentAction, string> = {
  start: 'Starts an agent and waits until it runs',
  stop: 'Stops an agent and waits until nothing of it is left',
  restart: 'Starts an agent anew, with its configuration as it is now, and waits until it runs',
};

export const agentVerbArguments = Type.Object(
  {
    agent: Type.String({
      minLength: 1,
      maxLength: 200,
      description: 'its id, or its name when only one has it',
    }),
  },
  { additionalProperties: false, examples: [{ agent: 'collector' }] },
);

const actions = Object.keys(agentUpdates) as AgentAction[]; // its keys are the actions

/** `agent.start`, `agent.stop` and `agent.restart`. */
export const agentVerbs: Verb[] = actions.map((action) => ({
  name: `agent.${action}`,
  summary: said[action],
  with: agentVerbArguments,
  // The order's job has an id derived from run and step: a repeat finds the order that was given.
  idempotent: true,
  // It waits for a host.
  queue: 'outbound',
}));
