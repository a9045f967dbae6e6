/** What the specification's `call` can do besides functions; no function may have such a name. */
export const standardCalls: readonly string[] = ['http', 'openapi', 'grpc', 'asyncapi', 'a2a', 'mcp'];
