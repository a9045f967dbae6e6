import { Type } from 'typebox';
import { MetricName, TelemetryQuery } from '../telemetry.ts';
import type { Verb } from '../verbs.ts';

const { metric_name: _required, format: _asJson, cursor: _one, ...rest } = TelemetryQuery.properties;

export const telemetryQuery = {
  name: 'telemetry.query',
  summary: 'Reads telemetry of the run’s owner',
  with: Type.Object({ metric_name: MetricName, ...rest }, { additionalProperties: false }),
  // It only reads.
  idempotent: true,
  queue: 'platform',
} satisfies Verb;
