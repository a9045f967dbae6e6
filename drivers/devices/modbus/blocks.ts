import { isBits, type Register, type Registers, widthOf } from '../../../domain/myntrix/device-modbus.ts';

/** Registers that lie side by side, which one request reads. */
export interface Block {
  kind: Register['kind'];
  address: number;
  /** Registers of 16 bits, or bits. */
  count: number;
  names: string[];
}

/** Of one request: 125 registers or 2,000 bits are allowed; smaller devices take less. */
const MOST = { registers: 100, bits: 1_000 };

/** As few blocks as read them all, and nothing in between: some devices refuse what they do not have. */
export function blocksOf(registers: Registers, names: readonly string[]): Block[] {
  const blocks: Block[] = [];
  const sorted = names
    .flatMap((name) => (registers[name] ? [{ name, register: registers[name] }] : []))
    .sort(
      (a, b) => a.register.kind.localeCompare(b.register.kind) || a.register.address - b.register.address,
    );
  for (const { name, register } of sorted) {
    const { kind, address } = register;
    const last = blocks.at(-1);
    const end = address + widthOf(register);
    const most = isBits(register) ? MOST.bits : MOST.registers;
    if (last && last.kind === kind && address <= last.address + last.count && end - last.address <= most) {
      last.count = Math.max(last.count, end - last.address);
      last.names.push(name);
    } else blocks.push({ kind, address, count: end - address, names: [name] });
  }
  return blocks;
}
