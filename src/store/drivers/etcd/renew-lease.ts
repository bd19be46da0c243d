// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { isKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import type { EtcdConnection } from "./connection.ts";
import type { LeaseMessage } from "./messages.ts";

const TIMEOUT_MS = 2_000;

/** Gives the lease its whole term again; false when it has ended. Asks a second member when the first does not answer. */
export async function renewLease(
  connection: EtcdConnection,
  id: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    return await renewOnce(connection, id, signal);
  } catch (thrown) {
    signal?.throwIfAborted();
    connection.checkOpen();
    if (!isKind(thrown, storeErrors["store-unavailable"])) throw thrown;
    return renewOnce(connection, id, signal);
  }
}

async function renewOnce(
  connection: EtcdConnection,
  id: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const options = { signal, timeoutMs: TIMEOUT_MS };
  const { stream, leave } = await connection.open("Lease/LeaseKeepAlive", options);
  const cancel = (): void => stream.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    stream.write({ ID: id });
    const [answer]: LeaseMessage[] = await once(stream, "data");
    return Number(answer?.TTL ?? 0) > 0;
  } catch (thrown) {
    signal?.throwIfAborted();
    throw leave(thrown);
  } finally {
    signal?.removeEventListener("abort", cancel);
    // An error after this is the answer to the cancelling.
    stream.on("error", () => undefined);
    stream.cancel();
  }
}
