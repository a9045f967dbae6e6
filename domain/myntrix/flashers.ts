import { type Static, Type } from 'typebox';
import { literals } from '../wire.ts';

/** Programs that write firmware, and what may be said of how: their arguments are made of it, and of nothing else. */
const word = (description: string, examples: string[]) =>
  Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$', description, examples });
const address = Type.String({ pattern: '^0x[0-9a-fA-F]{1,8}$', examples: ['0x10000'] });
const baud = Type.Integer({ minimum: 300, maximum: 4_000_000 });

const timeoutSeconds = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 3_600, description: 'ends it when it takes longer; 900 unless given' }),
);

const Avrdude = Type.Object(
  {
    flasher: Type.Literal('avrdude'),
    part: word('the microcontroller, as avrdude calls it', ['atmega2560']),
    programmer: word('what writes it', ['wiring']),
    baud: Type.Optional(baud),
    memory: Type.Optional(literals(['flash', 'eeprom'])),
    /** Without it the whole chip is erased first; boot loaders mostly cannot. */
    erase: Type.Optional(Type.Boolean()),
    timeoutSeconds,
  },
  { additionalProperties: false },
);

const Esptool = Type.Object(
  {
    flasher: Type.Literal('esptool'),
    chip: Type.Optional(word('auto unless given', ['esp32'])),
    baud: Type.Optional(baud),
    address: Type.Optional(address),
    flashMode: Type.Optional(literals(['keep', 'qio', 'qout', 'dio', 'dout'])),
    eraseAll: Type.Optional(Type.Boolean()),
    timeoutSeconds,
  },
  { additionalProperties: false },
);

const DfuUtil = Type.Object(
  {
    flasher: Type.Literal('dfu-util'),
    device: Type.Optional(
      Type.String({
        pattern: '^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$',
        description: 'USB vendor and product',
        examples: ['0483:df11'],
      }),
    ),
    alt: Type.Optional(Type.Integer({ minimum: 0, maximum: 255 })),
    address: Type.Optional(address),
    leave: Type.Optional(Type.Boolean({ description: 'has it start what was written' })),
    timeoutSeconds,
  },
  { additionalProperties: false },
);

export const Flasher = Type.Union([Avrdude, Esptool, DfuUtil]);
export type Flasher = Static<typeof Flasher>;

export const flasherNames = ['avrdude', 'esptool', 'dfu-util'] as const;
export type FlasherName = (typeof flasherNames)[number];

/** What a program is called on machines that have it. */
export const programsOf: Record<FlasherName, readonly string[]> = {
  avrdude: ['avrdude'],
  esptool: ['esptool', 'esptool.py'],
  'dfu-util': ['dfu-util'],
};

/**
 * The arguments of a flasher.
 * @param file a path of ours; @param port the device's serial port, which dfu-util does without
 * @throws Error when it needs a port and there is none
 */
export function flasherArguments(flasher: Flasher, file: string, port: string | undefined): string[] {
  switch (flasher.flasher) {
    case 'avrdude':
      return [
        ...['-p', flasher.part, '-c', flasher.programmer, '-P', needed(port)],
        ...(flasher.baud === undefined ? [] : ['-b', String(flasher.baud)]),
        ...(flasher.erase === true ? [] : ['-D']),
        ...['-U', `${flasher.memory ?? 'flash'}:w:${file}:a`],
      ];
    case 'esptool':
      return [
        ...(flasher.chip === undefined ? [] : ['--chip', flasher.chip]),
        ...['--port', needed(port)],
        ...(flasher.baud === undefined ? [] : ['--baud', String(flasher.baud)]),
        'write_flash',
        ...(flasher.flashMode === undefined ? [] : ['--flash_mode', flasher.flashMode]),
        ...(flasher.eraseAll === true ? ['--erase-all'] : []),
        ...[flasher.address ?? '0x0', file],
      ];
    case 'dfu-util':
      return [
        ...(flasher.device === undefined ? [] : ['-d', flasher.device]),
        ...['-a', String(flasher.alt ?? 0)],
        ...(flasher.address === undefined && !flasher.leave
          ? []
          : ['-s', `${flasher.address ?? ''}${flasher.leave ? ':leave' : ''}`]),
        ...['-D', file],
      ];
  }
}

function needed(port: string | undefined): string {
  if (port !== undefined) return port;
  throw new Error('this flasher writes by a serial port, and the device has none');
}
