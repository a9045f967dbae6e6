export type PartName = 'postgres' | 'temporal' | 'bundle' | 'api' | 'platform' | 'host';

/** What a person reads for each part. */
export const partLabels: Record<PartName, string> = {
  postgres: 'PostgreSQL',
  temporal: 'Temporal',
  bundle: 'workflow bundle',
  api: 'API',
  platform: 'platform worker',
  host: 'host worker',
};

/** What the local stack tells whoever started it. */
export type StackEvent =
  | { type: 'progress'; part: PartName; text: string }
  | { type: 'up'; part: PartName; ms: number; note?: string }
  | { type: 'ended'; part: PartName; how: string; retryMs: number }
  | { type: 'up-again'; part: PartName; ms: number }
  | { type: 'log'; part: PartName; level: 'warn' | 'error'; text: string }
  | { type: 'notice'; text: string }
  | { type: 'stopping'; parts: PartName[] }
  | { type: 'stopped'; ms: number };

export type Report = (event: StackEvent) => void;

/** One clear reason why the stack cannot start; `tail` is the end of the log of the part that failed. */
export class StartError extends Error {
  readonly tail: string;
  constructor(message: string, tail = '', options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
    this.tail = tail;
  }
}
