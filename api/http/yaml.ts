import { Document, isAlias, isMap, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml';
import { AppError } from '../../domain/errors.ts';

/** Each may bring in all that its anchor names. */
const MAX_ALIASES = 100;

/** Parsing recurses: what is deeper is no definition. */
const MAX_DEPTH = 200;

/** Reading takes some microseconds a character of the thread that answers everybody. */
const MAX_LENGTH = 512 * 1024;

/**
 * The JSON value that a YAML 1.2 text means (core schema: no dates, no merge keys, no tags of one's own).
 * @throws AppError `bad_request` with line and column for everything else, `too_large` over 512 KiB.
 */
export function parseYaml(text: string): unknown {
  if (text.length > MAX_LENGTH)
    throw new AppError('too_large', `The body is longer than ${MAX_LENGTH} characters of YAML.`);
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `(line ${line}, column ${col})`;
  };
  const document = parsed(text, lines);
  // Warnings are tags that mean nothing here.
  const [wrong] = [...document.errors, ...document.warnings];
  if (wrong) throw refused(`${oneLine(wrong.message)} ${place(wrong.pos[0])}`);
  const at = (node: Node) => place(node.range?.[0] ?? 0);
  let aliases = 0;
  visit(document, {
    Node(_key, node, path) {
      if (path.length > 2 * MAX_DEPTH)
        throw refused(`it is nested more than ${MAX_DEPTH} levels deep ${at(node)}`);
      if (isAlias(node) && ++aliases > MAX_ALIASES)
        throw refused(`it has more than ${MAX_ALIASES} aliases ${at(node)}`);
      if (isScalar(node) && typeof node.value === 'number' && !Number.isFinite(node.value))
        throw refused(`${String(node.source)} is no number of JSON ${at(node)}`);
      if (!isMap(node)) return;
      const keys = new Set<string>();
      for (const { key } of node.items) {
        if (!isScalar(key) || key.value === null)
          throw refused(`a key is text, not a list, an object or nothing ${at(key as Node)}`);
        const name = String(key.value);
        if (keys.has(name))
          throw refused(`the key ${JSON.stringify(name.slice(0, 100))} is there twice ${at(key)}`);
        keys.add(name);
      }
    },
  });
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw refused(error instanceof Error ? oneLine(error.message) : String(error), error);
  }
}

function parsed(text: string, lineCounter: LineCounter) {
  // A text that is nothing but mistakes has one for each character: each is an error, whose trace is most of its cost.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return parseDocument(text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      // Found out below: the library compares each key with each other.
      uniqueKeys: false,
      prettyErrors: false,
      // `!!binary`, `!!set` and the like are no JSON.
      resolveKnownTags: false,
      // Else a second document would go unnoticed.
      logLevel: 'error',
      lineCounter,
    });
  } catch (error) {
    if (error instanceof RangeError) throw refused('it is nested too deep', error);
    throw error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

const refused = (why: string, cause?: unknown) =>
  new AppError('bad_request', `The body is not YAML that can be accepted: ${why}.`, {}, { cause });

const oneLine = (text: string) => (text.split('\n')[0] ?? '').slice(0, 300);

/**
 * A JSON value as YAML 1.2 that `parseYaml` reads as the same. Long lines are not folded: of a text that begins with a
 * space the library's folding makes another one. So do its blocks, whose indentation is told by their first line: such a
 * text is quoted, in one line.
 */
export function yamlText(value: unknown): string {
  const document = new Document(value, { version: '1.2', schema: 'core', aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'string' && /^\s/.test(node.value)) node.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER });
}
