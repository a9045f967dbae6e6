import { AppError, type ErrorCode } from '../../domain/errors.ts';

/** SQLSTATEs of PostgreSQL. */
const violations = { foreignKey: '23503', unique: '23505' } as const;

/** Runs a write and answers a violated constraint as the problem that it means here. */
export async function unlessViolated<T>(
  constraint: keyof typeof violations,
  problem: { code: ErrorCode; message: string },
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const { code } = error as { code?: string }; // PostgreSQL's errors carry their SQLSTATE
    if (code !== violations[constraint]) throw error;
    throw new AppError(problem.code, problem.message, {}, { cause: error });
  }
}

/** For what is written in the moment in which somebody deletes the account. */
export const accountGone = { code: 'unauthenticated', message: 'This account was just deleted.' } as const;
