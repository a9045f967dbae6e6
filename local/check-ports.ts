import type { Config } from '../config.ts';
import { StartError } from './events.ts';
import { portHolder } from './port-holder.ts';
import { portProblem } from './ports.ts';

interface Wanted {
  setting: 'VAREON_PORT' | 'TEMPORAL_UI_PORT';
  port: number;
  host: string;
}

/** Refuses to start when a port that a setting names cannot be had. @throws StartError with what to do. */
export async function checkPorts(config: Config): Promise<void> {
  const wanted: Wanted[] = [{ setting: 'VAREON_PORT', port: config.VAREON_PORT, host: config.VAREON_BIND }];
  if (!config.TEMPORAL_ADDRESS)
    wanted.push({ setting: 'TEMPORAL_UI_PORT', port: config.TEMPORAL_UI_PORT, host: '127.0.0.1' });
  const problems: string[] = [];
  for (const one of wanted) {
    const code = await portProblem(one.port, one.host);
    if (code) problems.push(explain(one, code));
  }
  if (problems.length > 0) throw new StartError(problems.join('\n'));
}

function explain({ setting, port, host }: Wanted, code: string): string {
  const instead = port < 1024 ? 8000 : port + 1;
  const advice = `Choose another one: ${setting}=${instead} npm start`;
  if (code === 'EADDRINUSE') {
    const holder = portHolder(port);
    return `Port ${port} (${setting}) is taken${holder ? ` by ${holder}` : ''}. ${advice}`;
  }
  if (code === 'EACCES')
    return `Port ${port} (${setting}) needs rights that this user does not have. ${advice}`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `VAREON_BIND=${host} is not an address of this machine. Use 127.0.0.1, or 0.0.0.0 for all of them`;
  return `Port ${port} (${setting}) on ${host} cannot be listened on: ${code}. ${advice}`;
}
