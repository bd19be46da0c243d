// SPDX-License-Identifier: Apache-2.0
// A real node without an engine: agents join it all the same, and it is up again in a moment after a kill.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeProcess } from "./node-process.ts";

export interface BareNode extends AsyncDisposable {
  readonly directory: string;
  /** Path of the socket where agents join. */
  readonly fabricSocket: string;
  ask<T>(path: string): Promise<{ readonly status: number; readonly body: T }>;
  /** Kills it with -9 and starts it again on the same state; resolves once it answers. */
  killAndRestart(): Promise<void>;
}

/** Starts one with a state of its own. */
export async function openBareNode(): Promise<BareNode> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-bare-"));
  const node = createNodeProcess(directory);
  await node.start();
  return {
    directory,
    fabricSocket: join(directory, "fabric", "fabric.sock"),
    ask: node.ask,
    async killAndRestart() {
      await node.signal("SIGKILL");
      await node.start();
    },
    async [Symbol.asyncDispose]() {
      await node.signal("SIGKILL");
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
