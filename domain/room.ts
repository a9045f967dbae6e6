export interface RoomLimits {
  /** Connections in all. */
  total: number;
  /** Connections of one address; less than all, so that no address can take the whole room. */
  perAddress: number;
  /** Those of one address that do nothing. */
  idlePerAddress: number;
}

/** Who may stay, by what they do: whoever does nothing makes room for whoever comes. */
export interface Room<C> {
  /** How many are in. */
  size(): number;
  /**
   * Lets a connection in, which does nothing yet.
   * @returns who has to go for it, which has left by this: itself when all others are busy.
   */
  enter(connection: C, address: string): C | undefined;
  /** It works on something now, and stays until it is idle. */
  busy(connection: C): void;
  idle(connection: C): void;
  leave(connection: C): void;
}

/** Holds connections of whatever kind to limits. When room is short the oldest idle one of the greediest address goes. */
export function createRoom<C>({ total, perAddress, idlePerAddress }: RoomLimits): Room<C> {
  interface Guests {
    all: number;
    /** In the order in which they became idle. */
    idle: Set<C>;
  }
  const guests = new Map<string, Guests>();
  const addresses = new Map<C, string>();

  const of = (connection: C): Guests | undefined => {
    const address = addresses.get(connection);
    return address === undefined ? undefined : guests.get(address);
  };

  function leave(connection: C): void {
    const address = addresses.get(connection);
    const own = of(connection);
    if (address === undefined || !own) return;
    addresses.delete(connection);
    own.idle.delete(connection);
    own.all -= 1;
    if (own.all === 0) guests.delete(address);
  }

  /** The most of what is idle; only asked when the room is full. */
  function greediest(): Guests | undefined {
    let found: Guests | undefined;
    for (const one of guests.values()) if (one.idle.size > (found?.idle.size ?? 0)) found = one;
    return found;
  }

  return {
    size: () => addresses.size,
    enter(connection, address) {
      const own = guests.get(address) ?? { all: 0, idle: new Set<C>() };
      guests.set(address, own);
      addresses.set(connection, address);
      own.all += 1;
      own.idle.add(connection);
      const isFull = own.all > perAddress || own.idle.size > idlePerAddress;
      const crowd = isFull ? own : addresses.size > total ? greediest() : undefined;
      // The newcomer is the last of its own, so that it goes itself only when all before it are busy.
      const [leaving] = crowd?.idle ?? [];
      if (leaving !== undefined) leave(leaving);
      return leaving;
    },
    busy: (connection) => void of(connection)?.idle.delete(connection),
    idle: (connection) => void of(connection)?.idle.add(connection),
    leave,
  };
}
