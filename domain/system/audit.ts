import { type Static, Type } from 'typebox';
import { Id, PageQuery, Time } from '../wire.ts';

/** One change of state by somebody; lines are only ever added. */
export const AuditLine = Type.Object(
  {
    id: Id,
    at: Time,
    actor: Type.String({ description: 'the user name as it was then, or `anonymous`', examples: ['ada'] }),
    action: Type.String({
      description: 'the route',
      examples: ['POST /api/neosyntis/workflows/{id}/trigger'],
    }),
    resource: Type.String({
      description: 'the path that was asked for',
      examples: ['/api/neosyntis/workflows/019a9b4c-5d6e-7f80-8a1b-2c3d4e5f6071/trigger'],
    }),
    outcome: Type.String({
      description: '`ok`, or the code of the problem that was answered',
      examples: ['ok'],
    }),
    request_id: Type.String({ examples: ['019a9b4c-5d6e-7f80-8a1b-2c3d4e5f6072'] }),
    ip: Type.String({ examples: ['192.0.2.7'] }),
  },
  { $id: 'AuditLine' },
);
export type AuditLine = Static<typeof AuditLine>;

const filter = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 500, description }));

export const AuditQuery = Type.Object(
  {
    ...PageQuery,
    actor: filter('a user name, exactly'),
    action: filter('a route, exactly as a line has it'),
    outcome: filter('`ok` or the code of a problem'),
  },
  { additionalProperties: false },
);
export type AuditQuery = Static<typeof AuditQuery>;
