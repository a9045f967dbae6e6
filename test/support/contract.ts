import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Answer, Client } from './client.ts';

const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1');

export interface Contract {
  /** `METHOD /path` of every route and WebSocket. */
  operations: string[];
  /** What an answer has that the OpenAPI document does not promise; nothing when it is as documented. */
  violations(operation: string, answer: Answer): string[];
}

/** Holds answers to the OpenAPI document that the API itself gives. */
export async function readContract(api: Client): Promise<Contract> {
  const { body: document } = await api('GET', '/openapi.json');
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'openapi');
  const validators = new Map<string, ReturnType<typeof ajv.compile>>();
  function validatorOf(schema: string) {
    const known = validators.get(schema) ?? ajv.compile({ $ref: encodeURI(schema) });
    validators.set(schema, known);
    return known;
  }
  const operations = Object.entries<Record<string, unknown>>(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  return {
    operations,
    violations(operation, { status, headers, body }) {
      const [method = '', path = ''] = operation.split(' ');
      const documented = document.paths[path][method.toLowerCase()].responses;
      const response = documented[status];
      if (!response)
        return [`${operation} answered ${status}; documented are ${Object.keys(documented).join(', ')}`];
      if (body === undefined) return [];
      const type = String(headers['content-type']).split(';')[0] ?? '';
      const base = `openapi#/paths/${escaped(path)}/${method.toLowerCase()}/responses/${status}`;
      const where = response.$ref ? `openapi${response.$ref}` : base;
      const validate = validatorOf(`${where}/content/${escaped(type)}/schema`);
      if (validate(body)) return [];
      return (validate.errors ?? []).map(
        ({ instancePath, message }) => `${operation} ${status} ${instancePath}: ${message}`,
      );
    },
  };
}
