import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { failureConverterPath } from '../drivers/payloads/converter.ts';

const require = createRequire(import.meta.url);

/**
 * Bundles all workflows for Temporal's sandbox: about a second, so it is done once and kept.
 * jq's WebAssembly goes in as a data URL, and its module is loaded once for all workflows of a thread.
 * @param options sealsFailures: workflows put what failures say into payloads, for the codec to seal
 */
export async function bundleWorkflows({ sealsFailures }: { sealsFailures: boolean }): Promise<string> {
  const preload = fileURLToPath(new URL('../workflows/neosyntis/engine/jq.ts', import.meta.url));
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
    preloadModules: [preload],
    ...(sealsFailures ? { failureConverterPath } : {}),
    logger: new DefaultLogger('WARN'),
    webpackConfigHook: (config) => ({
      ...config,
      resolve: {
        ...config.resolve,
        // The sandbox is nearest to an edge runtime: no Node, no file system.
        conditionNames: ['edge-light', 'import', 'module', 'webpack', 'default'],
        alias: { ...aliases(config.resolve?.alias), 'jq-wasm/jq.wasm': require.resolve('jq-wasm/jq.wasm') },
      },
      module: {
        ...config.module,
        rules: [...(config.module?.rules ?? []), { test: /jq\.wasm$/, type: 'asset/inline' }],
      },
    }),
  });
  return code;
}

const aliases = (alias: unknown): Record<string, string | false | string[]> =>
  alias !== null && typeof alias === 'object' && !Array.isArray(alias)
    ? (alias as Record<string, string | false | string[]>) // webpack's own type of an object of aliases
    : {};
