import type { Json } from '../../../domain/wire.ts';

type Keep = (value: Json) => Promise<string>;

/** Texts that are remembered; each may have 8 MiB. */
const TEXTS = 2;

/**
 * Keeps large values of a run, each once: as a rule what one step gives is what the next one gets. The patient way is
 * taken when the quick one fails.
 */
export function createKeeper({ quick, patient }: { quick: Keep; patient: Keep }): Keep {
  /** Values of a run never change. */
  const objects = new WeakMap<object, string>();
  /** A weak map takes no strings: the latest ones. */
  const texts = new Map<string, string>();

  const remember = (value: Json, name: string) => {
    if (typeof value === 'object' && value !== null) objects.set(value, name);
    if (typeof value !== 'string') return;
    const [oldest] = texts.keys();
    if (texts.size >= TEXTS && oldest !== undefined) texts.delete(oldest);
    texts.set(value, name);
  };

  return async (value) => {
    const known = typeof value === 'string' ? texts.get(value) : objects.get(Object(value));
    if (known !== undefined) return known;
    const name = await quick(value).catch(() => patient(value));
    remember(value, name);
    return name;
  };
}
