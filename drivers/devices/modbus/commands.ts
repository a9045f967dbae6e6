import { AppError } from '../../../domain/errors.ts';
import { isWritable, type Register, type Registers } from '../../../domain/myntrix/device-modbus.ts';
import { wordsOf } from './values.ts';

/** `read bed speed` or `write speed 200`. */
export type ModbusCommand =
  | { kind: 'read'; names: string[] }
  | { kind: 'write'; name: string; register: Register; words: number[] };

const MOST_NAMES = 50;

/** @throws AppError invalid, with what would be right */
export function readModbusCommand(text: string, registers: Registers): ModbusCommand {
  const [verb = '', ...words] = text.trim().split(/\s+/);
  const known = (name: string): Register => {
    const register = Object.hasOwn(registers, name) ? registers[name] : undefined;
    if (register) return register;
    const names = Object.keys(registers);
    throw new AppError(
      'invalid',
      `there is no register ${JSON.stringify(name.slice(0, 60))} in configuration.registers (${names.length === 0 ? 'it is empty' : names.slice(0, 20).join(', ')})`,
    );
  };
  if (verb === 'read' && words.length > 0 && words.length <= MOST_NAMES) {
    for (const name of words) known(name);
    return { kind: 'read', names: words };
  }
  const [name, value] = words;
  if (verb === 'write' && name !== undefined && value !== undefined && words.length === 2) {
    const register = known(name);
    if (!isWritable(register))
      throw new AppError(
        'invalid',
        `${name} is ${register.kind === 'input' ? 'an input register' : 'a discrete input'}, which cannot be written`,
      );
    return { kind: 'write', name, register, words: wordsOf(name, register, value) };
  }
  throw new AppError(
    'invalid',
    `${JSON.stringify(text.slice(0, 60))} is neither "read <name> …" (up to ${MOST_NAMES} names) nor "write <name> <value>"`,
  );
}
