// SPDX-License-Identifier: Apache-2.0
// Bodies that end where they have to, on connections that live long enough for the answer to be read.
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

/** How much more of a refused body is read and thrown away: who sends it looks for an answer only now and then. */
const DRAIN_BYTES_MAX = 16 * 1024 * 1024;
const DRAIN_MS_MAX = 5_000;

/** The chunks of a body; its connection stays open when the reader leaves off. */
export function iterateKept(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

/** A body as it comes, which fails once it has more than `bytesMax`. */
export function limitBytes(
  request: IncomingMessage,
  bytesMax: number,
): { readonly bytes: Readable; isOver(): boolean } {
  let sizeBytes = 0;
  async function* pass(): AsyncGenerator<Buffer> {
    for await (const chunk of iterateKept(request)) {
      sizeBytes += chunk.length;
      if (sizeBytes > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
      yield chunk;
    }
  }
  return { bytes: Readable.from(pass()), isOver: () => sizeBytes > bytesMax };
}

/** Reads on for a little, so that the other side gets to the answer, and then cuts. */
export function drainShortly(request: IncomingMessage): void {
  let sizeBytes = 0;
  request.on("data", (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes > DRAIN_BYTES_MAX) request.destroy();
  });
  request.socket.setTimeout(DRAIN_MS_MAX, () => request.destroy());
}
