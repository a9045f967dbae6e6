import type { Static, TObject, TSchema } from 'typebox';
import type { Permission } from '../../domain/auth/permissions.ts';
import type { Principal } from '../../domain/auth/principal.ts';

type Of<S> = S extends TSchema ? Static<S> : undefined;

/** One open WebSocket, as a handler sees it. */
export interface Connection {
  /** Sends a frame. A client whose backlog passes 8 MiB is closed with 1013 instead. */
  send(frame: object): void;
  /** Sends a frame that was serialised once for many clients; bytes are UTF-8. */
  sendText(frame: string | Buffer): void;
  /** Bytes of frames that the network has not taken yet. */
  waitingBytes(): number;
  /** Calls back with each text frame of the client, from now on; they are limited in size and number. */
  onText(callback: (frame: string) => void): void;
  close(code: number, reason: string): void;
  /** Calls back once the socket is closed, by whoever; at once when it is already. */
  onClosed(callback: () => void): void;
}

export interface SocketInput<P, Q> {
  user: Principal;
  params: Of<P>;
  query: Of<Q>;
}

export interface SocketDefinition<P, Q> {
  path: string;
  access: Permission;
  summary: string;
  description?: string;
  params?: P;
  query?: Q;
  /** What the server sends. */
  frames: TSchema;
  /** Runs before the upgrade: what it throws is answered as plain HTTP (404 for what is not theirs). */
  authorize?(input: SocketInput<P, Q>): Promise<void>;
  open(input: SocketInput<P, Q>, connection: Connection): Promise<void>;
}

/** A WebSocket route as the server, the OpenAPI document and the tests see it. */
export type SocketRoute = Omit<SocketDefinition<TObject, TObject>, 'authorize' | 'open'> & {
  authorize?(input: { user: Principal; params: unknown; query: unknown }): Promise<void>;
  open(input: { user: Principal; params: unknown; query: unknown }, connection: Connection): Promise<void>;
};

export function socket<P extends TObject | undefined = undefined, Q extends TObject | undefined = undefined>(
  definition: SocketDefinition<P, Q>,
): SocketRoute {
  // The server calls the handlers with values that it has checked against these very schemas.
  return definition as unknown as SocketRoute;
}
