/** One clear sentence why a backup or a restore was not made; the command shows it and ends with 1. */
export class Problem extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Problem';
  }
}

export const errorCode = (error: unknown): string | undefined => (error as NodeJS.ErrnoException)?.code;
