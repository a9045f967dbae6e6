import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  defineUpdate,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

/** What is wanted of something that a host holds for as long as it is wanted: a process, a connection. */
export interface Order {
  /** Orders are numbered. A host never follows one that is older than one that it knows. */
  epoch: number;
  /** Whether the host is to hold it, or to let go of it. */
  isHeld: boolean;
  /** It was deleted: this is its last order. */
  removed: boolean;
  /** A host that was deleted is not let in any more. */
  hostIsKnown: boolean;
}

export interface Holding<Wanted extends Order, End> {
  /** They only say that there is something new. */
  updates: { [action: string]: string };
  /** The newest order that was taken; the one after a continue-as-new is taken again, which changes nothing. */
  taken: number;
  /** The newest order; null when there is nothing to hold any more. */
  take(): Promise<Wanted | null>;
  /** Has the host hold it, for as long as it does; cancelling it is only looking away. */
  hold(wanted: Wanted): Promise<End>;
  /** Has the host let go of it. */
  release(wanted: Wanted): Promise<void>;
  /** Notes how an order ended. */
  settle(epoch: number, end: End | { kind: 'error'; reason: string }): Promise<void>;
  /** How one ends that its host has let go of. */
  released: End;
  forget(): Promise<void>;
  /** The same in a new execution. */
  goOn(taken: number): Promise<never>;
}

/**
 * Something that a host holds, from its first order until it is deleted. What is wanted is in its row, numbered; the
 * updates only say that there is something new.
 */
export async function followOrders<Wanted extends Order, End>({
  updates,
  taken,
  take,
  hold,
  release,
  settle,
  released,
  forget,
  goOn,
}: Holding<Wanted, End>): Promise<void> {
  let told = taken;
  let known = taken === 0 ? 0 : -1;
  let shed = () => {};
  for (const update of Object.values(updates))
    setHandler(defineUpdate<void, [number]>(update), (epoch) => {
      told = Math.max(told, epoch);
    });
  if (taken === 0) await condition(() => told > 0);

  for (;;) {
    const wanted = await take();
    if (wanted === null) return;
    known = wanted.epoch;
    told = Math.max(told, known);
    shed();
    if (wanted.isHeld) holdOn(wanted);
    else if (await letGo(wanted)) {
      if (wanted.removed) return forget();
    }
    await condition(() => told > known || (workflowInfo().continueAsNewSuggested && allHandlersFinished()));
    if (told > known) continue;
    await condition(allHandlersFinished);
    shed(); // the host goes on holding it; the next execution looks at it
    await goOn(known);
  }

  /** The host that lost its worker, or its process, is asked again by Temporal. */
  function holdOn(wanted: Wanted): void {
    const scope = new CancellationScope();
    shed = () => scope.cancel();
    scope
      .run(async () => {
        const end = await hold(wanted);
        await CancellationScope.nonCancellable(() => settle(wanted.epoch, end));
      })
      .catch((error: unknown) => {
        if (isCancellation(error) || isStale(error)) return undefined; // a newer order is on its way
        const reason = error instanceof Error ? error.message : String(error);
        return settle(wanted.epoch, { kind: 'error', reason });
      });
  }

  /** However long its host is away, unless something newer is wanted. @returns whether the host has let go */
  async function letGo(wanted: Wanted): Promise<boolean> {
    const scope = new CancellationScope();
    const isOver = wanted.hostIsKnown
      ? scope
          .run(() => release(wanted))
          .then(
            () => true,
            (error: unknown) => {
              if (isCancellation(error) || isStale(error)) return false;
              throw error;
            },
          )
      : Promise.resolve(true);
    const isDone = await Promise.race([isOver, condition(() => told > wanted.epoch).then(() => undefined)]);
    if (isDone === undefined) {
      scope.cancel();
      await isOver;
      return false;
    }
    if (isDone) await settle(wanted.epoch, released);
    return isDone;
  }
}

/** A host knows of a later order: that one is on its way here, too. */
const isStale = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof ApplicationFailure &&
  error.cause.type === 'StaleOrder';
