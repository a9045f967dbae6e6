import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { failureConverterPath } from '../drivers/payloads/converter.ts';

const require = createRequire(import.meta.url);

export interface BundleWorkflows {
  /** The file that exports them, unless it is the product's own. */
  workflowsPath?: string;
  /** Workflows put what failures say into payloads, for the codec to seal. */
  sealsFailures: boolean;
  /** For who looks for a mistake in workflow code; it makes runs a third slower. */
  stackTraces?: boolean;
}

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Bundles all workflows for Temporal's sandbox: about a second, so it is done once and kept.
 * jq's WebAssembly goes in as a data URL.
 */
export async function bundleWorkflows({
  workflowsPath = file('../workflows/index.ts'),
  sealsFailures,
  stackTraces = false,
}: BundleWorkflows): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    // Loaded once a thread, not once a run, which was half of a short run's cost: no module keeps anything of a run.
    preloadModules: [...(stackTraces ? [] : [file('../workflows/stack-traces.ts')]), workflowsPath],
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
