import { AppError } from '../../../domain/errors.ts';
import type { Answer } from './port.ts';

/** How a line that was sent came out. */
export type Outcome = { state: 'acknowledged' } | { state: 'failed' | 'unknown'; reason: string };

/** A line that is to be sent. */
export interface Item {
  text: string;
  /** Nothing else is under way with it, so that what the device says belongs to it. */
  alone: boolean;
  /** @param giveUp called when its time is over and no answer came */
  sent(giveUp?: () => void): void;
  /** Said by the device while it is under way alone. */
  said(line: string): void;
  settle(outcome: Outcome): void;
}

/** Where a program's lines come from. */
export interface Program {
  next(): Item | undefined;
  fail(reason: string): void;
}

/** What waits to be sent: commands first, in their order, then the program's lines. */
export interface Outbox {
  take(): Item | undefined;
  /** Whether the next one has to be alone. */
  nextIsAlone(): boolean;
  command(text: string, timeoutMs: number): Promise<Answer>;
  setProgram(to: Program | undefined): void;
  hasProgram(): boolean;
  /** The program cannot go on: the device has forgotten what came before. */
  failProgram(why: string): void;
  /** Refuses what waits, the program, and whatever comes later. */
  close(why: string): void;
}

/** Of a command, in a message about it. */
const SHOWN = 250;

/**
 * @param wake called when there is something new to send
 * @param check throws AppError invalid for a text that cannot be one command
 */
export function createOutbox(wake: () => void, check: (text: string) => void): Outbox {
  let commands: (Item & { refuse(error: Error): void })[] = [];
  let program: Program | undefined;
  let closed: string | undefined;
  return {
    take: () => commands.shift() ?? program?.next(),
    nextIsAlone: () => commands.length > 0,
    command(text, timeoutMs) {
      check(text);
      if (closed !== undefined) return Promise.reject(new AppError('unavailable', closed));
      return new Promise((resolve, reject) => {
        const lines: string[] = [];
        let sentAt: Date | undefined;
        let giveUp = (): void => {};
        let isOver = false;
        const finish = (answer: Pick<Answer, 'state' | 'answeredAt'> & { reason?: string }): void => {
          if (isOver) return;
          isOver = true;
          clearTimeout(timer);
          resolve({ ...answer, lines, sentAt: sentAt ?? new Date() });
        };
        const item = {
          text,
          alone: true,
          sent: (whenLate = () => {}) => {
            sentAt ??= new Date();
            giveUp = whenLate;
          },
          said: (line: string) => void (isOver || lines.push(line)),
          settle: (outcome: Outcome) =>
            finish({ ...outcome, answeredAt: outcome.state === 'unknown' ? null : new Date() }),
          refuse: (error: Error) => {
            clearTimeout(timer);
            reject(error);
          },
        };
        const timer = setTimeout(() => {
          if (sentAt) {
            finish({ state: 'unknown', reason: `no answer within ${timeoutMs} ms`, answeredAt: null });
            giveUp();
            return;
          }
          commands = commands.filter((each) => each !== item);
          reject(
            new AppError(
              'timeout',
              `${text.slice(0, SHOWN)} was not sent within ${timeoutMs} ms: the device was busy`,
            ),
          );
        }, timeoutMs);
        commands.push(item);
        wake();
      });
    },
    setProgram(to) {
      program = to;
      if (to && closed !== undefined) to.fail(closed);
      else if (to) wake();
    },
    hasProgram: () => program !== undefined,
    failProgram: (why) => program?.fail(why),
    close(why) {
      closed ??= why;
      program?.fail(why);
      const refused = commands;
      commands = [];
      for (const { refuse } of refused) refuse(new AppError('unavailable', why));
    },
  };
}
