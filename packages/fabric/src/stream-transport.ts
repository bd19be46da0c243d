// SPDX-License-Identifier: Apache-2.0
// Batches over any connection in both directions, each with the prefix that gRPC has too: between nodes nothing else is needed.
import type { Duplex } from "node:stream";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { createGrpcTransport } from "./grpc/grpc-transport.ts";
import type { Transport } from "./transport.ts";

/** Makes the transport; the stream is its own from now on. */
export function createStreamTransport(stream: Duplex, peerAddress: string): Transport {
  let failure: FabricError | undefined;
  const transport = createGrpcTransport({
    stream,
    peerAddress,
    local: false,
    onClose: () => void stream.end(),
    onDestroy(error) {
      failure ??= error;
      stream.destroy();
    },
  });
  stream.on("error", (cause) => {
    failure ??= new FabricError("unavailable", `the connection broke: ${cause.message}`, { cause });
  });
  // Half of a link is none.
  stream.once("end", () => stream.end());
  stream.once("close", () => transport.end(failure));
  return transport;
}
