/**
 * Reads a JSON list of Mermaid texts from standard input and writes what Mermaid's own parser made of each. A process
 * of its own: the package takes seconds to load, and its ways with the DOM are no matter for what a text means.
 */
import { text } from 'node:stream/consumers';
import DOMPurify from 'dompurify';

// What is shown is cleaned in a browser; here there is none.
Object.assign(DOMPurify, { addHook: () => undefined, sanitize: (dirty: unknown) => String(dirty) });
const { default: mermaid } = await import('mermaid');
mermaid.initialize({ maxTextSize: 100_000_000, maxEdges: 1_000_000 });

interface FlowDatabase {
  getVertices(): Map<string, { text?: string; classes: string[] }>;
  getEdges(): { start: string; end: string; text: string }[];
  getSubGraphs(): { id: string; title: string; nodes: string[]; classes: string[] }[];
}

/** Mermaid's codes, as it decodes them before it shows a text. */
const decoded = (shown = '') =>
  shown.replaceAll(/ﬂ°°(\d+)¶ß/g, (_code, number: string) => String.fromCodePoint(Number(number)));

const found = [];
for (const one of JSON.parse(await text(process.stdin)) as string[]) {
  await mermaid.parse(one);
  const diagram = await mermaid.mermaidAPI.getDiagramFromText(one);
  const flow = diagram.db as unknown as FlowDatabase; // of a flowchart
  found.push({
    type: diagram.type,
    nodes: [...flow.getVertices()].map(([id, node]) => ({
      id,
      text: decoded(node.text),
      classes: node.classes,
    })),
    edges: flow.getEdges().map(({ start, end, text }) => ({ start, end, text: decoded(text) })),
    subgraphs: flow
      .getSubGraphs()
      .map(({ id, title, nodes, classes }) => ({ id, title: decoded(title), nodes, classes })),
  });
}
process.stdout.write(JSON.stringify(found));
