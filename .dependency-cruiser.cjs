/** Arrows point inward only; docs/architecture.md has the picture. */
const only = (from, allowed, why) => ({
  name: `${from}-imports-only`,
  comment: why,
  severity: 'error',
  from: { path: `^${from}/` },
  to: {
    path: '^(domain|workflows|activities|drivers|db|workers|api|local|ops|production|test|bench|config|keys|logs|process|version)(/|\\.ts$)',
    pathNot: `^(${[from, ...allowed].join('|')})(/|\\.ts$)`,
  },
});

module.exports = {
  forbidden: [
    only('domain', [], 'what the words mean depends on nothing'),
    {
      name: 'domain-imports-typebox-only',
      severity: 'error',
      from: { path: '^domain/' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'core'], pathNot: '^node_modules/typebox/' },
    },
    {
      ...only('workflows', ['domain'], 'deterministic code'),
      to: { ...only('workflows', ['domain']).to, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'workflows-use-no-node',
      comment: 'Temporal’s sandbox has no Node; time and randomness belong to activities',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { dependencyTypes: ['core'] },
    },
    only('drivers', ['domain'], 'the outside world behind a port; never the database'),
    only('db', ['domain', 'logs'], 'rows and their meaning'),
    only('activities', ['domain', 'drivers', 'db', 'logs'], 'side effects'),
    {
      name: 'host-activities-have-no-database',
      severity: 'error',
      from: { path: '^(activities/host/|workers/host)' },
      to: { path: '^db/' },
    },
    {
      ...only(
        'api',
        ['domain', 'db', 'drivers', 'config', 'keys', 'logs', 'process', 'version'],
        'HTTP and WebSocket',
      ),
      to: {
        ...only('api', ['domain', 'db', 'drivers', 'config', 'keys', 'logs', 'process', 'version']).to,
        dependencyTypesNot: ['type-only'],
      },
    },
    only(
      'workers',
      ['domain', 'drivers', 'db', 'activities', 'workflows', 'config', 'keys', 'logs', 'process', 'version'],
      'entry points',
    ),
    only('production', ['domain', 'drivers'], 'sets up an installation; starts nothing'),
    only(
      'local',
      ['config', 'keys', 'drivers', 'workers', 'domain', 'logs'],
      'starts processes; knows no feature',
    ),
    only(
      'ops',
      ['domain', 'drivers', 'db', 'local', 'config', 'keys', 'logs', 'version'],
      'commands beside the platform',
    ),
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        pathNot:
          '(\\.d\\.ts|guarded-thread\\.ts|stack-traces\\.ts|install\\.mjs|main\\.ts|index\\.ts|config\\.ts)$',
      },
      to: {},
    },
    {
      name: 'not-to-test',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^(domain|workflows|activities|drivers|db|workers|api|local|ops|production)/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: 'specify',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
    parser: 'swc',
  },
};
