import { type Static, Type } from 'typebox';

/** What a Modbus device's registers mean: `configuration.registers`, and `configuration.modbus`. */

export const RegisterName = '^[A-Za-z_][A-Za-z0-9_.-]{0,59}$';
/** Of one device. */
export const REGISTERS_LIMIT = 500;
/** From one poll to the next at least. */
export const POLL_MIN_MS = 50;

const kinds = ['coil', 'discrete', 'holding', 'input'] as const;
const types = ['bool', 'uint16', 'int16', 'uint32', 'int32', 'float32'] as const;
export type RegisterType = (typeof types)[number];

export const Register = Type.Object(
  {
    kind: Type.Enum([...kinds]),
    address: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      description: 'as it is on the wire, from 0: what manuals call 40001 is holding 0',
    }),
    type: Type.Optional(
      Type.Enum([...types], {
        description: 'bool for coils and discrete inputs; uint16 for others unless given',
      }),
    ),
    wordOrder: Type.Optional(
      Type.Enum(['big', 'little'], { description: 'big unless given: the high word has the lower address' }),
    ),
    scale: Type.Optional(
      Type.Number({ description: 'the value is what the register holds times this; 1 unless given' }),
    ),
    unit: Type.Optional(Type.String({ maxLength: 30, description: 'for people: °C' })),
    pollMs: Type.Optional(
      Type.Integer({ minimum: POLL_MIN_MS, maximum: 86_400_000, description: 'read so often, as a reading' }),
    ),
  },
  { additionalProperties: false },
);
export type Register = Static<typeof Register>;

export const Registers = Type.Record(Type.String({ pattern: RegisterName }), Register, {
  maxProperties: REGISTERS_LIMIT,
  additionalProperties: false,
});
export type Registers = Static<typeof Registers>;

export const ModbusSettings = Type.Object(
  {
    unit: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 255, description: 'or ?unit= in the URL; 1 unless given' }),
    ),
    timeoutMs: Type.Optional(
      Type.Integer({ minimum: 50, maximum: 60_000, description: 'of one request; 3000 unless given' }),
    ),
    emergency: Type.Optional(
      Type.String({ maxLength: 200, description: 'the command of an emergency stop: `write running 0`' }),
    ),
  },
  { additionalProperties: false },
);
export type ModbusSettings = Static<typeof ModbusSettings>;

export const typeOf = ({ kind, type }: Register): RegisterType =>
  type ?? (kind === 'coil' || kind === 'discrete' ? 'bool' : 'uint16');

/** In registers of 16 bits, or in single bits. */
export const widthOf = (register: Register): 1 | 2 =>
  ['uint32', 'int32', 'float32'].includes(typeOf(register)) ? 2 : 1;

export const isBits = ({ kind }: Register): boolean => kind === 'coil' || kind === 'discrete';
export const isWritable = ({ kind }: Register): boolean => kind === 'coil' || kind === 'holding';

const DEFAULT_UNIT = 1;

/** @param path of the address: `?unit=1`. @returns what is wrong with it as text */
export function unitOf(path: string, settings: ModbusSettings): number | string {
  const [folder = '', query = ''] = path.split('?', 2);
  if (folder !== '' && folder !== '/') return `a modbus-tcp:// URL has no path (${folder})`;
  const options = new URLSearchParams(query);
  for (const key of options.keys()) if (key !== 'unit') return `its option ${key} is not known: unit is`;
  const given = options.get('unit');
  if (given === null) return settings.unit ?? DEFAULT_UNIT;
  return /^\d{1,3}$/.test(given) && Number(given) <= 255
    ? Number(given)
    : `its unit is ${given}, and units are from 0 to 255`;
}

/** Everything that is wrong with the registers and the address. */
export function modbusProblems(path: string, settings: ModbusSettings, registers: Registers): string[] {
  const unit = unitOf(path, settings);
  return [
    ...(typeof unit === 'string' ? [unit] : []),
    ...Object.entries(registers).flatMap(([name, register]) => {
      const type = typeOf(register);
      if (isBits(register) && type !== 'bool')
        return [`registers.${name}: a ${register.kind} is one bit, and its type is ${type}`];
      if (register.address + widthOf(register) > 65_536)
        return [`registers.${name}: it goes beyond the last address, 65535`];
      if (register.scale !== undefined && (register.scale === 0 || type === 'bool'))
        return [`registers.${name}: scale is not 0, and not for bool`];
      return [];
    }),
  ];
}
