import { type Jq, loadJq } from 'jq-wasm';
import wasmDataUrl from 'jq-wasm/jq.wasm';

/** The sandbox has WebAssembly; the compiler's libraries for Node do not declare it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => object;
};

/**
 * jq inside Temporal's workflow sandbox, which has no atob, Buffer, fetch or crypto. The bundle carries the
 * WebAssembly as a data URL; this module is preloaded, so one instance serves all workflows of a worker thread.
 */
let loading: Promise<Jq> | undefined;

/** The instance of this thread; the first workflow that asks starts it. Every workflow asks as it begins. */
export function jq(): Promise<Jq> {
  // jq itself draws no random numbers, but its runtime asks for a source, and each workflow has globals of its
  // own; a constant one keeps replay exact.
  const sandbox = globalThis as { crypto?: unknown };
  sandbox.crypto ??= { getRandomValues: (bytes: Uint8Array) => bytes.fill(7) };
  loading ??= load();
  return loading;
}

/** After a trap: the next run gets a new instance. */
export function forget(): void {
  loading = undefined;
}

function load(): Promise<Jq> {
  const bytes = decodeBase64(String(wasmDataUrl).slice(String(wasmDataUrl).indexOf(',') + 1));
  return loadJq({
    instantiateWasm: (imports, loaded) => {
      const module = new WebAssembly.Module(bytes);
      loaded(new WebAssembly.Instance(module, imports), module);
    },
  });
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function decodeBase64(text: string): Uint8Array {
  const values = new Uint8Array(128);
  for (let index = 0; index < alphabet.length; index++) values[alphabet.charCodeAt(index)] = index;
  const length = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length;
  const bytes = new Uint8Array((length * 3) >> 2);
  let at = 0;
  let bits = 0;
  let buffer = 0;
  for (let index = 0; index < length; index++) {
    buffer = (buffer << 6) | (values[text.charCodeAt(index)] ?? 0);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (buffer >> bits) & 255;
  }
  return bytes;
}
