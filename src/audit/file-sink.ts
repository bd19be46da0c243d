// SPDX-License-Identifier: Apache-2.0
import { open } from "node:fs/promises";
import type { AuditSink } from "./sink.ts";

/**
 * Adds lines to a file, as they stand in the log. It is opened anew for each batch, so that whoever rotates it may move it
 * away at any time.
 */
export function createFileSink(path: string): AuditSink {
  return {
    name: path,
    async write(lines) {
      const file = await open(path, "a", 0o600);
      try {
        await file.appendFile(Buffer.concat(lines));
      } finally {
        await file.close();
      }
    },
    close: () => Promise.resolve(),
  };
}
