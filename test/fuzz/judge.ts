import type { Answer } from '../support/client.ts';
import type { Contract } from '../support/contract.ts';
import type { WireRequest } from './send.ts';

/** What is asked of hosts, of which there are some that nobody runs. */
const asksHosts = new Set(['GET /api/hosts/{name}/ports', 'POST /api/myntrix/devices/{id}/emergency-stop']);

/** What is wrong with an answer; nothing when all is as promised. */
export function judge(
  contract: Contract,
  operation: string | undefined,
  { method }: WireRequest,
  answer: Answer,
): string[] {
  const { status, headers, body, text } = answer;
  const wrong: string[] = [];
  const type = String(headers['content-type'] ?? '');
  const isHostAway = status > 501 && operation !== undefined && asksHosts.has(operation);
  if (status >= 500 && !isHostAway) wrong.push(`answered ${status}`);
  if (headers['x-request-id'] === undefined) wrong.push(`a ${status} without X-Request-Id`);
  if (method === 'HEAD') return wrong;
  if (status >= 400) {
    if (!type.startsWith('application/problem+json'))
      wrong.push(`a ${status} of type "${type}": ${text.slice(0, 200)}`);
    else if (body?.request_id === undefined || body.request_id !== headers['x-request-id'])
      wrong.push(`a problem without the request's id: ${text.slice(0, 200)}`);
    else if (body.status !== status) wrong.push(`a ${status} whose problem says ${body.status}`);
  }
  if (type.includes('json') && text !== '' && body === undefined)
    wrong.push(`JSON that is none: ${text.slice(0, 200)}`);
  if (
    /node_modules|\.ts:\d+|at .*\(.*:\d+:\d+\)|select .* from |violates .* constraint/i.test(
      type.includes('problem') ? text : '',
    )
  )
    wrong.push(`an answer that shows our insides: ${text.slice(0, 300)}`);
  if (operation !== undefined && status < 500) wrong.push(...contract.violations(operation, answer));
  return wrong;
}
