import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

// What OpenAPI documents are made of; a test looks into them by name.
type Node = { [key: string]: Node };

/**
 * Everything that is wrong with an OpenAPI document: what its own schema says, operations without an example,
 * and examples that are not as their schema says.
 */
export async function openApiProblems(document: object): Promise<string[]> {
  const { valid, errors } = await new Validator().validate(
    structuredClone(document) as Record<string, unknown>,
  );
  if (!valid) return [`not OpenAPI 3.1: ${JSON.stringify(errors)}`];
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
  addFormats.default(ajv);
  ajv.addSchema({ ...document, $id: 'openapi' });

  const problems: string[] = [];
  const check = (pointer: readonly string[], where: string, content: Node) => {
    if (content.example === undefined) return problems.push(`${where}: no example`);
    const fragment = [...pointer, 'schema'].map(
      (key) => `/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`,
    );
    const validate = ajv.compile({ $ref: `openapi#${fragment.join('')}` });
    if (!validate(content.example))
      problems.push(
        `${where}: ${JSON.stringify(content.example)} is not as its schema says: ${ajv.errorsText(validate.errors)}`,
      );
  };
  const checkContents = (pointer: readonly string[], where: string, contents: Node = {}) => {
    for (const [type, content] of Object.entries(contents))
      check([...pointer, type], `${where} ${type}`, content);
  };

  const { paths = {}, components = {} } = document as Node; // it has just been found to be OpenAPI
  for (const [path, item] of Object.entries(paths))
    for (const [method, operation] of Object.entries(item)) {
      const where = `${method.toUpperCase()} ${path}`;
      const pointer = ['paths', path, method];
      checkContents([...pointer, 'requestBody', 'content'], `${where} body`, operation.requestBody?.content);
      for (const [status, response] of Object.entries(operation.responses ?? {}))
        checkContents([...pointer, 'responses', status, 'content'], `${where} ${status}`, response.content);
      for (const [index, parameter] of Object.entries(operation.parameters ?? {}))
        if (parameter.example !== undefined)
          check([...pointer, 'parameters', index], `${where} ${parameter.name}`, parameter);
      if (operation['x-frames']) check([...pointer, 'x-frames'], `${where} frames`, operation['x-frames']);
    }
  for (const [code, response] of Object.entries(components.responses ?? {}))
    checkContents(['components', 'responses', code, 'content'], `error ${code}`, response.content);
  return problems;
}
