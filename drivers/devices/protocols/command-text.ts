import { AppError } from '../../../domain/errors.ts';
import { type ProtocolName, protocolNames } from './port.ts';

interface Limit {
  /** Bytes of UTF-8, or characters of Latin-1, as it is sent. */
  most: number;
  /** Texts of any language, and not only what fits into a byte a character. */
  isUnicode?: true;
  why: string;
}

const message: Limit = { most: 65_536, isUnicode: true, why: 'a message of this protocol has' };

/** How long one command may be, by what has to take it in. */
const limits: Readonly<Record<ProtocolName, Limit>> = {
  // MAX_CMD_SIZE is 96, with the number, the checksum and an end; what is cut off there has no checksum any more.
  marlin: { most: 80, why: 'Marlin reads 96 bytes, and number and checksum need theirs: a command has' },
  // Its receive buffer of 128 bytes holds one less, and the end of the line.
  grbl: { most: 126, why: 'GRBL’s buffer has 128 bytes: a command has' },
  lines: { most: 250, why: 'a line for small controllers has' },
  'json-lines': message,
  mqtt: message,
  http: message,
  // Its host reads it; two digits a byte.
  raw: { most: 8_192, why: 'raw commands have' },
  modbus: { most: 8_192, why: 'commands of registers have' },
};

/**
 * One line and nothing that would end it or act at once.
 * @param protocol of the device; as for small controllers while that is not known
 * @throws AppError invalid
 */
export function checkCommand(text: string, protocol?: string): void {
  const limit = limitOf(protocol);
  const { isUnicode } = limit;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const odd = isUnicode ? /[\u0000-\u001f\u007f-\u009f]/ : /[\u0000-\u001f\u007f-\u00a0]|[^\u0000-\u00ff]/;
  refuse(
    odd.exec(text),
    isUnicode
      ? 'a command is one line of printable characters'
      : 'a command is one line of printable Latin-1 characters',
  );
  checkLength(text, limit);
}

const limitOf = (protocol: string | undefined): Limit =>
  limits[protocolNames.find((name) => name === protocol) ?? 'lines'];

/** What is framed as a whole, and not by line ends: any text but for control characters other than those of indented JSON. @throws AppError invalid */
export function checkMessage(text: string, protocol: 'mqtt' | 'http'): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  refuse(/[\u0000-\u0008\u000b-\u001f\u007f]/.exec(text), 'messages are text');
  checkLength(text, limits[protocol]);
}

function refuse(odd: RegExpExecArray | null, right: string): void {
  if (!odd) return;
  const code = odd[0].charCodeAt(0).toString(16).padStart(4, '0');
  throw new AppError('invalid', `the command holds the character U+${code}: ${right}`);
}

function checkLength(text: string, { most, isUnicode, why }: Limit): void {
  if (text.trim() === '') throw new AppError('invalid', 'the command is empty');
  const length = Buffer.byteLength(text, isUnicode ? 'utf8' : 'latin1');
  if (length > most)
    throw new AppError(
      'invalid',
      `the command has ${length} ${isUnicode ? 'bytes' : 'characters'}: ${why} at most ${most}`,
    );
}
