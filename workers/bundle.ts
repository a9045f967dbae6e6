import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { failureConverterPath } from '../drivers/payloads/converter.ts';

const require = createRequire(import.meta.url);

export interface BundleWorkflows {
  /** The file that exports them, unless it is the product's own. */
  workflowsPath?: string;
  /** For who looks for a mistake in workflow code; it makes runs a third slower. */
  stackTraces?: boolean;
}

/** With the payload codec on, workflows put what failures say into payloads, for it to seal. */
export interface Bundles {
  sealed: string;
  plain: string;
}

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Bundles all workflows for Temporal's sandbox: some seconds, so it is done once and kept.
 * jq's WebAssembly goes in as a data URL. Without stack traces nothing asks where a line came from: making the map of
 * that took half of the time, and each thread of a platform worker read it at its start.
 */
export async function bundleWorkflows({
  workflowsPath = file('../workflows/index.ts'),
  stackTraces = false,
}: BundleWorkflows = {}): Promise<Bundles> {
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    // Loaded once a thread, not once a run, which was half of a short run's cost: no module keeps anything of a run.
    preloadModules: [...(stackTraces ? [] : [file('../workflows/stack-traces.ts')]), workflowsPath],
    failureConverterPath,
    logger: new DefaultLogger('WARN'),
    webpackConfigHook: (config) => ({
      ...config,
      ...(stackTraces ? {} : { devtool: false as const }),
      resolve: {
        ...config.resolve,
        // Packages are where npm put them: asking of each folder whether it is elsewhere took a fifth of the time.
        symlinks: false,
        // The sandbox is nearest to an edge runtime: no Node, no file system.
        conditionNames: ['edge-light', 'import', 'module', 'webpack', 'default'],
        alias: { ...aliases(config.resolve?.alias), 'jq-wasm/jq.wasm': require.resolve('jq-wasm/jq.wasm') },
      },
      module: {
        ...config.module,
        rules: [
          // Its first one reads the maps of packages.
          ...(config.module?.rules ?? []).slice(stackTraces ? 0 : 1),
          { test: /jq\.wasm$/, type: 'asset/inline' },
        ],
      },
    }),
  });
  const sealed = stackTraces ? code : `${code}\n${noSourceMap}\n`;
  const [before, after, ...more] = sealed.split(seals);
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(`the bundle has not once what failure-converter.ts says: ${seals}`);
  return { sealed, plain: `${before}encodeCommonAttributes: false${after}` };
}

/** What failure-converter.ts says: the one difference between the two. */
const seals = 'encodeCommonAttributes: true';

/** The worker wants one. */
const emptyMap = { version: 3, file: 'workflows.js', sources: [], names: [], mappings: '' };
const noSourceMap = `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(emptyMap)).toString('base64')}`;

const aliases = (alias: unknown): Record<string, string | false | string[]> =>
  alias !== null && typeof alias === 'object' && !Array.isArray(alias)
    ? (alias as Record<string, string | false | string[]>) // webpack's own type of an object of aliases
    : {};
