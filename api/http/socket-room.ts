import { AppError } from '../../domain/errors.ts';

/** Holds each user to a number of open WebSockets. */
export function createSocketRoom(perUser: number) {
  const open = new Map<string, number>();
  return {
    /**
     * Takes a place; what it gives back gives the place back.
     * @throws AppError `rate_limited` when the user has that many open.
     */
    enter(userId: string): () => void {
      const count = open.get(userId) ?? 0;
      if (count >= perUser)
        throw new AppError(
          'rate_limited',
          `You have ${count} WebSockets open, which is the most; close some (VAREON_MAX_SOCKETS_PER_USER).`,
          { retryAfterSeconds: 5 },
        );
      open.set(userId, count + 1);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        const now = (open.get(userId) ?? 1) - 1;
        if (now === 0) open.delete(userId);
        else open.set(userId, now);
      };
    },
  };
}
