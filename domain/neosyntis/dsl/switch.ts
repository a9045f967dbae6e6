import { Type } from 'typebox';
import { base, expression, FlowDirective } from './base.ts';
import type { TaskKind } from './kind.ts';

const Case = Type.Object(
  {
    when: Type.Optional(expression('Whether this case is taken; the case without `when` is the default')),
    then: FlowDirective,
  },
  { additionalProperties: false },
);

export const SwitchTask = Type.Object(
  {
    ...base,
    switch: Type.Array(Type.Record(Type.String(), Case, { minProperties: 1, maxProperties: 1 }), {
      minItems: 1,
    }),
  },
  { additionalProperties: false },
);

export const switchKind: TaskKind<typeof SwitchTask> = {
  keyword: 'switch',
  schema: SwitchTask,
  children: () => [],
  expressions: (task) =>
    task.switch.flatMap((item, index) =>
      Object.entries(item).flatMap(([name, { when }]) =>
        when === undefined ? [] : [{ path: ['switch', index, name, 'when'], value: when, bare: true }],
      ),
    ),
  targets: (task) =>
    task.switch.flatMap((item, index) =>
      Object.entries(item).map(([name, one]) => ({ path: ['switch', index, name, 'then'], name: one.then })),
    ),
  check(task) {
    let defaults = 0;
    const names = new Set<string>();
    return task.switch.flatMap((item, index) =>
      Object.entries(item).flatMap(([name, { when }]) => {
        const path = ['switch', index, name];
        if (names.has(name))
          return [{ path, message: `a second case named "${name}": case names must differ` }];
        names.add(name);
        if (when === undefined && defaults++ > 0)
          return [{ path, message: 'a second case without `when`: only one default case is possible' }];
        return [];
      }),
    );
  },
};
