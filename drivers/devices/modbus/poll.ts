import type { Registers } from '../../../domain/myntrix/device-modbus.ts';
import { every } from '../every.ts';
import type { DeviceEvent } from '../protocols/port.ts';
import { type Block, blocksOf } from './blocks.ts';
import type { ModbusClient } from './client.ts';
import { exceptionIn, meaningOf } from './exceptions.ts';
import { readValues } from './read.ts';

/** So many requests in a row without an answer, and the device is gone. */
const MISSES = 3;

/** Reads what is configured again and again, until `signal`; commands go before it. */
export function startPolling({
  client,
  registers,
  emit,
  isBusy,
  signal,
}: {
  client: ModbusClient;
  registers: Registers;
  emit(event: DeviceEvent): void;
  isBusy(): boolean;
  signal: AbortSignal;
}): void {
  const byPause = Map.groupBy(
    Object.entries(registers).flatMap(([name, { pollMs }]) =>
      pollMs === undefined ? [] : [{ name, pollMs }],
    ),
    ({ pollMs }) => pollMs,
  );
  let misses = 0;
  for (const [pollMs, polled] of byPause) {
    const blocks = blocksOf(
      registers,
      polled.map(({ name }) => name),
    );
    const said = new Map<Block, number | undefined>();
    every(pollMs, signal, async () => {
      for (const block of blocks) {
        if (isBusy() || signal.aborted) return;
        try {
          emit({ kind: 'readings', readings: await readValues(client, registers, block) });
          said.delete(block);
          misses = 0;
        } catch (error) {
          const code = exceptionIn(error);
          misses = code === undefined ? misses + 1 : 0;
          if (signal.aborted) return;
          // Each problem once, not each time.
          if (code !== undefined && said.get(block) !== code)
            emit({ kind: 'log', line: `${block.names.join(', ')}: ${meaningOf(code)}` });
          said.set(block, code);
          if (misses >= MISSES)
            client.end({ kind: 'lost', reason: `the device did not answer ${MISSES} requests in a row` });
        }
      }
    });
  }
}
