import { AppError, type InputProblem } from '../../domain/errors.ts';
import {
  EVENT_LIMIT_BYTES,
  eventProblems,
  type WorkflowEvent,
  withoutNulls,
} from '../../domain/neosyntis/cloud-event.ts';
import { isObject } from '../../domain/neosyntis/json.ts';
import type { Json } from '../../domain/wire.ts';

const PREFIX = 'ce-';

/**
 * The CloudEvent of a request: the body itself (structured mode), or with `ce-` headers the attributes that these
 * have and the body as its data (binary mode; CloudEvents HTTP binding 1.0.2, 3.1).
 * @throws AppError `invalid` with every problem; `too_large`
 */
export function eventOf(headers: Readonly<Record<string, string>>, body: Json): WorkflowEvent {
  const sent = Object.entries(headers).filter(([name]) => name.startsWith(PREFIX));
  const isBinary = sent.some(([name]) => name === `${PREFIX}id` || name === `${PREFIX}specversion`);
  const event = isBinary
    ? { ...attributes(sent, headers), data: body }
    : isObject(body)
      ? withoutNulls(body)
      : body;
  const errors = eventProblems(event).map((problem) => (isBinary ? inHeader(problem) : problem));
  if (errors.length > 0)
    throw new AppError('invalid', `The event has ${errors.length} problem(s): ${errors[0]?.message}`, {
      errors,
    });
  const bytes = Buffer.byteLength(JSON.stringify(event));
  if (bytes > EVENT_LIMIT_BYTES)
    throw new AppError(
      'too_large',
      `The event has ${bytes} bytes as JSON; ${EVENT_LIMIT_BYTES} is the limit.`,
    );
  return event as WorkflowEvent; // eventProblems found none
}

function attributes(
  sent: [string, string][],
  headers: Readonly<Record<string, string>>,
): Record<string, Json> {
  const type = headers['content-type'];
  return {
    ...Object.fromEntries(sent.map(([name, value]) => [name.slice(PREFIX.length), decoded(value)])),
    ...(type === undefined ? {} : { datacontenttype: type }),
  };
}

/** Header values are percent-encoded UTF-8 (3.1.3.2); what is not stays as it is. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

const inHeader = ({ path, message }: InputProblem): InputProblem => ({
  path,
  message: `header ${PREFIX}${path.slice(1)}: ${message}`,
});
