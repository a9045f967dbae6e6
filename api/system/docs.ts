import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Type } from 'typebox';
import { literals } from '../../domain/wire.ts';
import { type Reply, type Route, route } from '../http/route.ts';

const assets = {
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui.css': 'text/css; charset=utf-8',
  'favicon-32x32.png': 'image/png',
  'start.js': 'text/javascript; charset=utf-8',
} as const;

type Asset = keyof typeof assets;
const assetNames = Object.keys(assets) as Asset[]; // its keys are just these

/** Everything comes from here and nothing is inline; Swagger UI draws its icons as data. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Vareon API</title>
<link rel="icon" href="docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/assets/start.js"></script>
</body>
</html>
`;

const start = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
`;

/** @param deps.document the OpenAPI document of every route, these included; asked for once. */
export function createDocsRoutes(deps: { document(): object }): Route[] {
  let document: string | undefined;
  const contents = new Map<Asset, Buffer | string>([['start.js', start]]);

  async function content(name: Asset): Promise<Buffer | string> {
    const known = contents.get(name);
    if (known !== undefined) return known;
    const read = await readFile(createRequire(import.meta.url).resolve(`swagger-ui-dist/${name}`));
    contents.set(name, read);
    return read;
  }

  return [
    route({
      method: 'GET',
      path: '/openapi.json',
      access: 'public',
      summary: 'This document',
      answers: {
        200: {
          description: 'OpenAPI 3.1',
          schema: Type.Unsafe<object>({ type: 'object' }),
          example: { openapi: '3.1.0', info: { title: 'Vareon', version: '0.1.0' }, paths: {} },
        },
      },
      async handler() {
        document ??= JSON.stringify(deps.document());
        return text('application/json', document);
      },
    }),
    route({
      method: 'GET',
      path: '/docs',
      access: 'public',
      summary: 'A page to read about the routes and to try them',
      answers: { 200: { description: 'the page', type: 'text/html', example: '<!doctype html>…' } },
      handler: async () =>
        text('text/html; charset=utf-8', page, { 'Content-Security-Policy': contentSecurityPolicy }),
    }),
    route({
      method: 'GET',
      path: '/docs/assets/{file}',
      access: 'public',
      summary: 'A file of the page',
      params: Type.Object({ file: literals(assetNames) }),
      answers: { 200: { description: 'the file', type: '*/*', example: '…' } },
      handler: async ({ params }) =>
        text(assets[params.file], await content(params.file), { 'Cache-Control': 'public, max-age=3600' }),
    }),
  ];
}

const text = (type: string, body: Buffer | string, headers: Record<string, string> = {}): Reply => ({
  status: 200,
  headers: { 'Content-Type': type, ...headers },
  body,
});
