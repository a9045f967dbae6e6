/** Of a stack whose registry has the verbs of the benchmarks. */
export const benchEntryPoints = {
  api: 'bench/verb/api.ts',
  platform: 'bench/verb/platform.ts',
  workflows: 'bench/verb/workflows.ts',
};
