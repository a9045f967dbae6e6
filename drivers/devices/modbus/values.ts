import { AppError } from '../../../domain/errors.ts';
import { type Register, type RegisterType, typeOf } from '../../../domain/myntrix/device-modbus.ts';

const ranges: Record<Exclude<RegisterType, 'bool' | 'float32'>, [number, number]> = {
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
  uint32: [0, 4_294_967_295],
  int32: [-2_147_483_648, 2_147_483_647],
};

/** @param words the registers as they came, the one with the lower address first */
export function valueIn(register: Register, words: readonly number[]): number {
  const [first = 0, second = 0] = words;
  const [high, low] = register.wordOrder === 'little' ? [second, first] : [first, second];
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setUint16(0, words.length > 1 ? high : first);
  bytes.setUint16(2, words.length > 1 ? low : 0);
  const raw = {
    bool: () => (first === 0 ? 0 : 1),
    uint16: () => bytes.getUint16(0),
    int16: () => bytes.getInt16(0),
    uint32: () => bytes.getUint32(0),
    int32: () => bytes.getInt32(0),
    float32: () => bytes.getFloat32(0),
  }[typeOf(register)]();
  // 0.1 × 3 is 0.30000000000000004, which nobody has measured.
  return register.scale === undefined ? raw : Number((raw * register.scale).toPrecision(12));
}

/**
 * The registers for a value, the one with the lower address first.
 * @throws AppError invalid for a value that the register cannot hold
 */
export function wordsOf(name: string, register: Register, text: string): number[] {
  const type = typeOf(register);
  const refuse = (right: string): AppError =>
    new AppError('invalid', `${name} is to be ${right}, and ${JSON.stringify(text.slice(0, 60))} was given`);
  if (type === 'bool') {
    const value = { '0': 0, '1': 1, false: 0, true: 1, off: 0, on: 1 }[text.toLowerCase()];
    if (value === undefined) throw refuse('0 or 1');
    return [value];
  }
  const value = Number(text);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) throw refuse('a number');
  const { scale = 1 } = register;
  const bytes = new DataView(new ArrayBuffer(4));
  if (type === 'float32') {
    bytes.setFloat32(0, value / scale);
    if (!Number.isFinite(bytes.getFloat32(0))) throw refuse('a number that a float of 32 bits can hold');
  } else {
    const raw = Math.round(value / scale);
    const [low, high] = ranges[type];
    if (Math.abs(value / scale - raw) > 1e-6) throw refuse(`a multiple of ${scale}`);
    if (raw < low || raw > high) throw refuse(`from ${low * scale} to ${high * scale}`);
    if (type === 'uint16' || type === 'int16') return [raw & 0xffff];
    bytes.setInt32(0, raw | 0);
  }
  const words = [bytes.getUint16(0), bytes.getUint16(2)];
  return register.wordOrder === 'little' ? words.reverse() : words;
}
