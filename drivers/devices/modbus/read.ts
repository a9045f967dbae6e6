import { type Registers, widthOf } from '../../../domain/myntrix/device-modbus.ts';
import type { Reading } from '../protocols/port.ts';
import type { Block } from './blocks.ts';
import type { ModbusClient } from './client.ts';
import { valueIn } from './values.ts';

/** What is in the registers of a block. */
export async function readValues(
  client: ModbusClient,
  registers: Registers,
  block: Block,
): Promise<Reading[]> {
  const words = await client.read(block);
  return block.names.flatMap((name) => {
    const register = registers[name];
    if (!register) return [];
    const from = register.address - block.address;
    const value = valueIn(register, words.slice(from, from + widthOf(register)));
    return Number.isFinite(value) ? [{ name, value }] : [];
  });
}
