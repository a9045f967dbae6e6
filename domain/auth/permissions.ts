/** What a route can ask for, as `module:resource:verb`. */
export const permissions = [
  'system:status:read',
  'system:events:read',
  'system:hosts:read',
  'system:hosts:write',
  'system:users:read',
  'system:users:write',
  'system:mail:read',
  'system:audit:read',
  'system:metrics:read',
  'system:payloads:decode',
  'neosyntis:workflows:read',
  'neosyntis:workflows:write',
  'neosyntis:workflows:run',
  'neosyntis:workflows:execute_code',
  'neosyntis:approvals:answer',
  'neosyntis:secrets:read',
  'neosyntis:secrets:write',
  'neosyntis:telemetry:read',
  'neosyntis:telemetry:write',
  'myntrix:jobs:read',
  'myntrix:jobs:write',
  'myntrix:metrics:read',
  'myntrix:agents:read',
  'myntrix:agents:write',
  'myntrix:agents:run',
  'myntrix:tasks:read',
  'myntrix:tasks:write',
  'myntrix:tasks:run',
  'myntrix:devices:read',
  'myntrix:devices:write',
  'myntrix:devices:execute',
  'myntrix:telemetry:write',
] as const;

export type Permission = (typeof permissions)[number];

export const roles = ['viewer', 'operator', 'admin'] as const;

export type Role = (typeof roles)[number];

/** Permissions that come with no role but admin: an administrator grants them to a user by name. */
export const grantable = ['neosyntis:workflows:execute_code'] as const satisfies readonly Permission[];

export type Grant = (typeof grantable)[number];

/** What an account may do that nobody has shown to be somebody's. */
const unverified: readonly Permission[] = [
  'system:status:read',
  'system:events:read',
  'system:hosts:read',
  'neosyntis:workflows:read',
  'myntrix:jobs:read',
  'myntrix:metrics:read',
];

/** Whoever is named as an approver may answer, and nobody else. */
const viewer: readonly Permission[] = [
  ...unverified,
  'neosyntis:approvals:answer',
  'neosyntis:telemetry:read',
  'myntrix:agents:read',
  'myntrix:tasks:read',
  'myntrix:devices:read',
];

const operator: readonly Permission[] = [
  ...viewer,
  'system:metrics:read',
  'neosyntis:workflows:write',
  'neosyntis:workflows:run',
  'neosyntis:secrets:read',
  'neosyntis:secrets:write',
  'neosyntis:telemetry:write',
  'myntrix:jobs:write',
  'myntrix:agents:write',
  'myntrix:agents:run',
  'myntrix:tasks:write',
  'myntrix:tasks:run',
  'myntrix:devices:write',
  'myntrix:devices:execute',
  'myntrix:telemetry:write',
];

const byRole: Record<Role, readonly Permission[]> = { viewer, operator, admin: permissions };

/**
 * What an account may do. An account whose e-mail address is not verified may read what a viewer may read,
 * whatever its role: a role is given to a person, and who that is has not been shown yet.
 */
export function permissionsOf(account: {
  role: Role;
  is_verified: boolean;
  granted_permissions: readonly Permission[];
  /** Code on some hosts needs the same permission as code on all; which ones is looked at when a step is placed. */
  has_host_grant?: boolean;
}): ReadonlySet<Permission> {
  if (!account.is_verified) return new Set(unverified);
  return new Set<Permission>([
    ...byRole[account.role],
    ...account.granted_permissions,
    ...(account.has_host_grant ? (['neosyntis:workflows:execute_code'] as const) : []),
  ]);
}
