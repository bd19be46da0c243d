// SPDX-License-Identifier: Apache-2.0
// A stream of batches in both directions, framed as gRPC does, as a transport.
import type { Duplex } from "node:stream";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Transport, TransportReceiver } from "@fairlead/fabric/transport.ts";
import { Deframer, writePrefix } from "./deframer.ts";

/** Largest message that a link's stream may carry: a batch with one payload of the largest size, compressed badly. */
const BATCH_BYTES_MAX = 2 * 16_777_216;

export interface GrpcTransportOptions {
  readonly stream: Duplex;
  readonly peerAddress: string;
  readonly peerId?: string | undefined;
  readonly local: boolean;
  /** Ends this side of the stream in order. */
  readonly onClose: () => void;
  /** Ends the stream and what is below it. */
  readonly onDestroy: (error: FabricError) => void;
}

/** Makes the transport of a stream whose headers have been exchanged or are on their way. */
export function createGrpcTransport(options: GrpcTransportOptions): Transport & {
  /** Tells the receiver that the stream has ended. */
  end(error: FabricError | undefined): void;
} {
  const { stream } = options;
  let receiver: TransportReceiver | undefined;
  let over = false;
  function end(error: FabricError | undefined): void {
    if (over) return;
    over = true;
    receiver?.onClosed(error);
  }
  return {
    peerAddress: options.peerAddress,
    peerId: options.peerId,
    local: options.local,
    start(to) {
      receiver = to;
      const deframer = new Deframer(BATCH_BYTES_MAX, (message, compressed) => {
        if (compressed)
          throw new FabricError("unimplemented", "a batch is compressed inside, not by gRPC");
        if (!over) to.onBatch(message);
      });
      stream.on("data", (chunk: Buffer) => {
        try {
          deframer.push(chunk);
        } catch (thrown) {
          const error = FabricError.from(thrown, "internal");
          options.onDestroy(error);
          end(error);
        }
      });
      stream.on("drain", () => to.onReady());
    },
    send(parts, sizeBytes) {
      const [first, ...others] = parts;
      if (first === undefined || stream.destroyed || stream.writableEnded) return true;
      writePrefix(first, sizeBytes);
      if (others.length === 0) return stream.write(first);
      stream.cork();
      let ready = stream.write(first);
      for (const part of others) ready = stream.write(part);
      stream.uncork();
      return ready;
    },
    close: options.onClose,
    destroy: options.onDestroy,
    end,
  };
}
