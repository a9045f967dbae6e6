import { readFileSync } from 'node:fs';

type Environment = Record<string, string | undefined>;

/**
 * Secrets that are given as files (`DATABASE_URL_FILE=/run/secrets/database-url`), as containers get them: an
 * environment shows up in listings of processes and containers, and is inherited.
 * @param isSecret whether a setting may be in a file
 * @returns the environment with the contents in place of the file names, and what is wrong, without any content
 */
export function readSecretFiles(
  env: Environment,
  names: readonly string[],
  isSecret: (name: string) => boolean,
): { values: Environment; problems: string[] } {
  const values = { ...env };
  const problems: string[] = [];
  for (const name of names) {
    const variable = `${name}_FILE`;
    const file = env[variable];
    delete values[variable];
    if (!file) continue;
    if (!isSecret(name)) problems.push(`${variable}: only secrets are read from files; set ${name} itself`);
    else if (env[name]) problems.push(`${name} and ${variable} are both set: set one of them`);
    else {
      const read = contentOf(file);
      if ('problem' in read) problems.push(`${variable}: ${file} ${read.problem}`);
      else values[name] = read.content;
    }
  }
  return { values, problems };
}

/** Without the line's end that editors and `echo` add. */
function contentOf(file: string): { content: string } | { problem: string } {
  try {
    const content = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    if (content === '') return { problem: 'is empty' };
    if (/[\0\r\n]/.test(content)) return { problem: 'holds more than one line' };
    return { content };
  } catch (error) {
    return { problem: `cannot be read (${(error as NodeJS.ErrnoException).code})` }; // what the file system throws has one
  }
}
