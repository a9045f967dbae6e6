import { type Static, Type } from 'typebox';
import { Id } from '../wire.ts';

const closed = { additionalProperties: false } as const;
const Coordinate = Type.Number({ minimum: -1e6, maximum: 1e6 });

export const Position = Type.Object({ x: Coordinate, y: Coordinate, z: Coordinate }, closed);
export type Position = Static<typeof Position>;

const MetricOfTool = Type.Optional(Type.String({ minLength: 1, maxLength: 200 }));

/** Where a device or agent stands in the 3D view; else it has a place of its own that never changes. */
export const placed = {
  position: Type.Optional(Position),
};

/** How a device is shown in the 3D view. */
export const Visual = Type.Object(
  {
    scale: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1_000 })),
    tool: Type.Optional(
      Type.Object(
        { x: MetricOfTool, y: MetricOfTool, z: MetricOfTool },
        {
          ...closed,
          description: 'the metrics that say where its tool is; MPos.x, X and the like unless given',
        },
      ),
    ),
  },
  closed,
);
export type Visual = Static<typeof Visual>;

/** Devices that an agent works with. */
export const WorksWith = Type.Array(Id, { maxItems: 100 });
