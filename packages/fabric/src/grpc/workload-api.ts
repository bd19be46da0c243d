// SPDX-License-Identifier: Apache-2.0
// The SPIFFE Workload API for who dials one socket: who that is, is known by the socket, so nobody is asked who it is.
// https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_API.md; its methods for JWT are not there.
import { FabricError } from "@fairlead/fabric/errors.ts";
import {
  createMethod,
  type CallHandlers,
  type GrpcMethod,
  type ServerCall,
} from "./server-call.ts";
import {
  encodeBundlesResponse,
  encodeSvidResponse,
  type WorkloadMaterial,
} from "./workload-codec.ts";

/** Paths of the methods. */
export const WORKLOAD_METHOD = {
  svid: "/SpiffeWorkloadAPI/FetchX509SVID",
  bundles: "/SpiffeWorkloadAPI/FetchX509Bundles",
} as const;
/** Callers have to send it, so that who is made to fetch an address sends nothing that is taken for a question. */
export const WORKLOAD_HEADER = "workload.spiffe.io";

/**
 * Gives what the workload is to have now and each time it changes; nothing while there is nothing yet. An error ends it.
 * Returns the function that ends it from this side.
 */
export type WorkloadSource = (
  give: (material: WorkloadMaterial) => void,
  fail: (error: FabricError) => void,
) => () => void;

const REQUEST_BYTES_MAX = 4_096;

/** Makes the methods. */
export function createWorkloadMethods(source: WorkloadSource): ReadonlyMap<string, GrpcMethod> {
  const stream =
    (encode: (material: WorkloadMaterial) => Uint8Array) =>
    (call: ServerCall): CallHandlers => {
      if (call.headers[WORKLOAD_HEADER] !== "true")
        throw new FabricError("invalid_argument", `the header ${WORKLOAD_HEADER} is missing`);
      let stop: (() => void) | undefined;
      return {
        onMessage() {
          if (stop !== undefined) throw new FabricError("invalid_argument", "one request is sent");
          stop = source(
            (material) => void call.send(encode(material)),
            (error) => call.end(error),
          );
        },
        onCancel: () => stop?.(),
      };
    };
  return new Map([
    [WORKLOAD_METHOD.svid, createMethod(REQUEST_BYTES_MAX, stream(encodeSvidResponse))],
    [WORKLOAD_METHOD.bundles, createMethod(REQUEST_BYTES_MAX, stream(encodeBundlesResponse))],
  ]);
}
