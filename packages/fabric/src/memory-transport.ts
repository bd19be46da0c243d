// SPDX-License-Identifier: Apache-2.0
// Two ends of a transport in one process: for tests of what is above, and for the SDK's in-memory fabric.
import type { FabricError } from "./errors.ts";
import { HEADROOM, type Transport, type TransportReceiver } from "./transport.ts";

/** Bytes under way in one direction after which `send` asks the sender to wait. */
const UNDER_WAY_BYTES_MAX = 262_144;

interface End {
  readonly transport: Transport;
  receiver: TransportReceiver | undefined;
  underWayBytes: number;
  closed: boolean;
}

/** Makes both ends. Batches arrive in a later tick, as they would over a network. */
export function createMemoryTransports(): readonly [Transport, Transport] {
  const ends: End[] = [];
  function finish(end: End | undefined, error: FabricError | undefined): void {
    if (end === undefined || end.closed) return;
    end.closed = true;
    end.receiver?.onClosed(error);
  }
  function deliver(from: End, to: End, bytes: Buffer): void {
    setImmediate(() => {
      const waited = from.underWayBytes >= UNDER_WAY_BYTES_MAX;
      from.underWayBytes -= bytes.length;
      if (!to.closed) to.receiver?.onBatch(bytes);
      if (waited && from.underWayBytes < UNDER_WAY_BYTES_MAX && !from.closed)
        from.receiver?.onReady();
    });
  }
  function createEnd(other: () => End | undefined): End {
    const end: End = {
      receiver: undefined,
      underWayBytes: 0,
      closed: false,
      transport: {
        peerAddress: "memory",
        local: true,
        start: (receiver) => void (end.receiver = receiver),
        send(parts, sizeBytes) {
          const to = other();
          if (end.closed || to === undefined) return true;
          const bytes = Buffer.concat(parts, sizeBytes + HEADROOM).subarray(HEADROOM);
          end.underWayBytes += sizeBytes;
          deliver(end, to, bytes);
          return end.underWayBytes < UNDER_WAY_BYTES_MAX;
        },
        close() {
          end.closed = true;
          setImmediate(() => finish(other(), undefined));
        },
        destroy(error) {
          end.closed = true;
          setImmediate(() => finish(other(), error));
        },
      },
    };
    return end;
  }
  const first = createEnd(() => ends[1]);
  const second = createEnd(() => ends[0]);
  ends.push(first, second);
  return [first.transport, second.transport];
}
