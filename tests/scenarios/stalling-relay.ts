// SPDX-License-Identifier: Apache-2.0
// A relay in front of a unix socket that can stop passing bytes without closing, as a network that drops packets does.
import { connect, createServer, type Socket } from "node:net";

export interface StallingRelay extends AsyncDisposable {
  readonly path: string;
  /** Passes nothing more, in either direction. */
  stall(): void;
  /** Passes what was held back, and all that follows. */
  resume(): void;
  /** Loses what was held back, breaks the connections, and lets new ones through. */
  reset(): void;
}

/** Listens at `path` and passes on to `target`. */
export async function openStallingRelay(path: string, target: string): Promise<StallingRelay> {
  const sockets = new Set<Socket>();
  let stalled = false;
  const server = createServer((near) => {
    const far = connect({ path: target });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      if (stalled) from.pause();
      from.on("data", (chunk) => void to.write(chunk));
      if (stalled) from.pause();
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const pass = (on: boolean): void => {
    stalled = !on;
    for (const socket of sockets)
      if (on) socket.resume();
      else socket.pause();
  };
  return {
    path,
    stall: () => pass(false),
    resume: () => pass(true),
    reset() {
      stalled = false;
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
