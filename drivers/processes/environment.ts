/**
 * Refused, each for its reason. Variables of the dynamic loader and of C library internals act on every program
 * on the way to the command, our own helpers included; who needs one sets it inside the command
 * (`LD_LIBRARY_PATH=… program`). VAREON_ is how we mark our processes. The rest is read-only in some /bin/sh.
 * Interpreter settings (NODE_OPTIONS, PYTHONPATH, …) reach only the step's own program, whose author chose them.
 */
const refused: [RegExp, string][] = [
  [/^(LD_|DYLD_)|^(GCONV_PATH|GLIBC_TUNABLES|LOCPATH|NLSPATH|MALLOC_TRACE)$/, 'steers the program loader'],
  [/^VAREON_/, 'is the platform’s own'],
  [/^(UID|EUID|PPID|BASHOPTS|SHELLOPTS|BASH_VERSINFO|BASH_ENV|ENV)$/, 'belongs to the shell'],
];

/** @returns what is wrong with the variables, or nothing. */
export function checkEnvironment(env: Readonly<Record<string, string>>): string | undefined {
  for (const [name, value] of Object.entries(env)) {
    const shown = JSON.stringify(name.slice(0, 100));
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      return `the environment variable ${shown} has no valid name: letters, digits and _ are, not beginning with a digit`;
    const reason = refused.find(([pattern]) => pattern.test(name))?.[1];
    if (reason) return `the environment variable ${shown} cannot be set: it ${reason}`;
    if (value.includes('\0')) return `the environment variable ${shown} holds a NUL character`;
  }
  return undefined;
}

/** The host's variables that processes see; nothing else of the host's environment reaches them. */
export interface HostEnvironment {
  PATH: string;
  LANG?: string;
  TZ?: string;
}

/** Everything that a process gets. Its own variables win over the host's, the platform's over all. */
export function buildEnvironment(
  host: HostEnvironment,
  spec: { id: string; env: Readonly<Record<string, string>>; platformEnv: Readonly<Record<string, string>> },
  folder: string,
): Record<string, string> {
  return {
    PATH: host.PATH,
    LANG: host.LANG ?? 'C.UTF-8',
    ...(host.TZ === undefined ? {} : { TZ: host.TZ }),
    HOME: folder,
    TMPDIR: folder,
    ...spec.env,
    ...spec.platformEnv,
    VAREON_STEP: spec.id,
  };
}
