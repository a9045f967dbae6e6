/** One HTTP request that is made for a user. */
export interface OutboundRequest {
  /** Upper case; one of domain/outbound/request-rules.ts. */
  method: string;
  url: string;
  headers: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  /** Whether redirects are followed; where not, a 3xx is an answer like any other. */
  followRedirects: boolean;
  /** Of everything: waiting for a turn, names, connections, redirects, the whole answer. */
  timeoutMs: number;
  /** Gives the request up; `request` then rejects with its reason. */
  signal?: AbortSignal;
}

export interface OutboundResponse {
  status: number;
  /** Names in lower case; several of one name are joined by ", ". */
  headers: Record<string, string>;
  /** Decoded. */
  body: Uint8Array;
  /** The last request that was sent: another one than was asked for after redirects. */
  request: { method: string; url: string; headers: Record<string, string> };
}

export interface OutboundClient {
  /** @throws OutboundError, or the reason of `signal`. */
  request(request: OutboundRequest): Promise<OutboundResponse>;
}

export type OutboundErrorKind =
  /** The request is not one that can be sent. */
  | 'invalid'
  /** It leads to an address that is not for users. */
  | 'forbidden'
  /** Nobody knows the name. */
  | 'unresolved'
  /** The connection could not be made, or broke. */
  | 'connection'
  | 'timeout'
  /** The other side does not speak HTTP or TLS as it should, or redirects for ever. */
  | 'protocol'
  /** The answer is larger than the limit. */
  | 'too_large';

/** Its message is for users: it names no addresses, URLs, headers or credentials. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly kind: OutboundErrorKind;
  /** The other side may have the request: what it did with it cannot be known. */
  sent: boolean;

  constructor(kind: OutboundErrorKind, message: string, sent = false) {
    super(message);
    this.kind = kind;
    this.sent = sent;
  }
}
