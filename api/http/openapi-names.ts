/** Modules, as operations are grouped by them. */
export const tags = ['auth', 'system', 'neosyntis', 'myntrix', 'cognisys', 'arcana'] as const;

const authSegments = new Set([
  'register',
  'verify-email',
  'token',
  'logout',
  'password-reset',
  'users',
  'api-tokens',
  'ws-ticket',
]);

/** The module that a path belongs to. */
export function moduleOf(path: string): (typeof tags)[number] {
  const segment = path.split('/').find((part) => part !== '' && part !== 'api' && part !== 'ws') ?? '';
  if (authSegments.has(segment)) return 'auth';
  if (segment === 'chat' || segment === 'shell') return 'arcana';
  return tags.find((tag) => tag === segment) ?? 'system';
}

/** `GET /api/neosyntis/runs/{run_id}` is `getNeosyntisRunsByRunId`. */
export function operationId(verb: string, path: string): string {
  const words = path
    .replace(/^\/(api|ws)\//, '/')
    .replaceAll(/\{(\w+)\}/g, 'by-$1')
    .split(/[^A-Za-z0-9]+/)
    .filter(Boolean);
  return verb.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
