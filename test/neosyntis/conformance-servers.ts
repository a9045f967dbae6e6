// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { type Served, serveHttp } from '../support/http-server.ts';

const pet = (id: number) => ({ id, name: `pet ${id}`, status: 'available', photoUrls: [] });

/** Operations of petstore.swagger.io, as its Swagger 2.0 document describes them. */
const petstore = (origin: string) => ({
  swagger: '2.0',
  info: { title: 'Petstore', version: '1.0.0' },
  host: new URL(origin).host,
  basePath: '/v2',
  schemes: ['http'],
  paths: {
    '/pet/findByStatus': {
      get: {
        operationId: 'findPetsByStatus',
        produces: ['application/json'],
        parameters: [
          {
            name: 'status',
            in: 'query',
            required: true,
            type: 'array',
            items: { type: 'string' },
            collectionFormat: 'multi',
          },
        ],
        responses: { 200: { description: 'pets' } },
      },
    },
    '/pet/{petId}': {
      get: {
        operationId: 'getPetById',
        produces: ['application/json'],
        parameters: [{ name: 'petId', in: 'path', required: true, type: 'integer', format: 'int64' }],
        responses: { 200: { description: 'a pet' }, 404: { description: 'there is none' } },
      },
    },
  },
});

/** What the kit asks of petstore.swagger.io, httpbin.org and a catalog at raw.githubusercontent.com, on this machine. */
export async function serveForConformance(): Promise<Served> {
  const served = await serveHttp();
  const json = (path: string, body: unknown) =>
    served.on(path, (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    );
  served.on('/serverlessworkflow/catalog/main/functions/log/1.0.0/function.yaml', (_request, response) =>
    response.end(
      'input: { schema: { document: { type: object, required: [message] } } }\nset: "${ .message }"\n',
    ),
  );
  json('/v2/swagger.json', petstore(served.origin));
  json('/v2/pet/1', pet(1));
  json('/v2/pet/2', pet(2));
  served.on('/v2/pet/findByStatus', (request, response) => {
    const isKnown = new URL(request.url ?? '', served.origin).searchParams.get('status') === 'available';
    const found = isKnown ? [pet(1), pet(2)] : [];
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(found));
  });
  const [username, password] = ['serverless-workflow', 'conformance-test'];
  served.on(`/basic-auth/${username}/${password}`, (request, response) => {
    const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const isRight = request.headers.authorization === wanted;
    response
      .writeHead(isRight ? 200 : 401, { 'content-type': 'application/json' })
      .end(JSON.stringify({ authenticated: isRight }));
  });
  return served;
}
