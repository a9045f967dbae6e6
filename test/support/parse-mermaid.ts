/**
 * Reads a JSON list of Mermaid texts from standard input and writes what Mermaid's own parser made of each. A process
 * of its own, as the package takes itself to be in a browser, and is given as little of one as it can be loaded with.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { runInThisContext } from 'node:vm';

interface FlowDatabase {
  getVertices(): Map<string, { text?: string; classes: string[] }>;
  getEdges(): { start: string; end: string; text: string }[];
  getSubGraphs(): { id: string; title: string; nodes: string[]; classes: string[] }[];
}

/** What is used of it; the package has no types. */
interface Mermaid {
  initialize(config: object): void;
  parse(text: string): Promise<unknown>;
  mermaidAPI: { getDiagramFromText(text: string): Promise<{ type: string; db: FlowDatabase }> };
}

// It cleans what it will show by a library that does nothing where there is no real document: texts stay as they are.
const document = { nodeType: 9, implementation: {}, createElement: () => ({}) };
const browser = { document, Element: class {}, addEventListener: () => undefined };
Object.assign(globalThis, { document, window: browser });
runInThisContext(readFileSync(createRequire(import.meta.url).resolve('@mermaid-js/tiny'), 'utf8'));
const { mermaid } = globalThis as unknown as { mermaid: Mermaid }; // where that script puts it
mermaid.initialize({ maxTextSize: 100_000_000, maxEdges: 1_000_000 });

/** Mermaid's codes, as it decodes them before it shows a text. */
const decoded = (shown = '') =>
  shown.replaceAll(/ﬂ°°(\d+)¶ß/g, (_code, number: string) => String.fromCodePoint(Number(number)));

// It knows its kinds of diagram from the first one on.
await mermaid.parse('flowchart TD');
const found = [];
for (const one of JSON.parse(await text(process.stdin)) as string[]) found.push(await parsed(one));
process.stdout.write(JSON.stringify(found));

async function parsed(flowchart: string) {
  try {
    const { type, db } = await mermaid.mermaidAPI.getDiagramFromText(flowchart);
    return {
      type,
      nodes: [...db.getVertices()].map(([id, { text, classes }]) => ({ id, text: decoded(text), classes })),
      edges: db.getEdges().map(({ start, end, text }) => ({ start, end, text: decoded(text) })),
      subgraphs: db
        .getSubGraphs()
        .map(({ id, title, nodes, classes }) => ({ id, title: decoded(title), nodes, classes })),
    };
  } catch (error) {
    return { type: `none: ${String(error)}`, nodes: [], edges: [], subgraphs: [] };
  }
}
