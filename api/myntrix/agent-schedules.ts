import type { AgentSchedule } from '../../db/myntrix/agent-schedules.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError, type InputProblem } from '../../domain/errors.ts';
import type { AgentConfiguration } from '../../domain/myntrix/agent-configuration.ts';
import { USUAL_CATCH_UP_S } from '../../domain/myntrix/tasks.ts';
import { type AgentAction, agentUpdates } from '../../domain/names.ts';
import { nextTimes } from '../../drivers/schedules/times.ts';
import { scheduleOf } from './task-input.ts';

const commands = Object.keys(agentUpdates) as AgentAction[]; // its keys are the orders

/**
 * When an agent is to be ordered something by itself, checked.
 * @throws AppError `invalid` with every problem; `forbidden` for who may not have tasks
 */
export function schedulesOf(user: Principal, { schedule }: AgentConfiguration): AgentSchedule[] {
  if (!schedule) return [];
  const { timezone = 'UTC' } = schedule;
  const problems: InputProblem[] = [];
  const found = commands.flatMap((command): AgentSchedule[] => {
    const text = schedule[command];
    if (text === undefined) return [];
    const read = scheduleOf(text, timezone, { catch_up_ms: USUAL_CATCH_UP_S * 1_000 });
    problems.push(...read.problems.map((problem) => placed(problem, command)));
    if (!read.timing || read.problems.length > 0) return [];
    if (nextTimes(read.timing, new Date(), 1).length === 0)
      problems.push(placed({ path: '/schedule', message: `"${text}" never comes` }, command));
    return [{ command, schedule: text, timezone, timing: read.timing }];
  });
  if (problems.length > 0)
    throw new AppError('invalid', `The agent’s schedule has a problem: ${problems[0]?.message}`, {
      errors: problems,
    });
  const lacking = (['myntrix:tasks:write', 'myntrix:tasks:run', 'myntrix:agents:run'] as const).find(
    (permission) => !user.permissions.has(permission),
  );
  if (found.length > 0 && lacking !== undefined)
    throw new AppError(
      'forbidden',
      `A schedule makes tasks, which act in your name: you have no ${lacking}.`,
    );
  return found;
}

const placed = ({ path, message }: InputProblem, command: AgentAction): InputProblem => ({
  path: `/configuration/schedule${path === '/timezone' ? path : `/${command}`}`,
  message,
});
