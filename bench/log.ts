// SPDX-License-Identifier: Apache-2.0
// The durable log beside bare SQLite with a commit for each row, in the same directory, alternating.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openLog } from "@fairlead/fabric/log/open.ts";
import { realClock } from "@fairlead/fabric/log/testing/crash-child.ts";
import type { Bench } from "./bench.ts";

const ROUNDS = 10;
const BURST = 1000;
const BARE = 100;
const PAYLOAD = Buffer.alloc(256, "x");

export const log: Bench = {
  name: "log",
  about: "publishes of 256 bytes to the durable log, beside bare SQLite with one commit each",
  async run({ sample }) {
    const directory = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
    const bare = new DatabaseSync(join(directory, "bare.db"));
    try {
      bare.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE m (payload BLOB)");
      const insert = bare.prepare("INSERT INTO m VALUES (?)");
      await using own = openLog(
        { kind: "sqlite", path: join(directory, "log.db") },
        { clock: realClock },
      );
      await own.openGroup({
        name: "bench",
        pattern: "bench.>",
        from: "now",
        ackTimeoutMs: 60_000,
        attemptsMax: 3,
        inFlightMax: 100,
      });
      const publish = (id: string) =>
        own.publish({ subject: "bench.each", payload: PAYLOAD, id, headers: {}, atMs: Date.now() });
      const rate = (subject: string, count: number, sinceMs: number): void =>
        sample({
          metric: "publish_per_s",
          unit: "1/s",
          subject,
          value: (count * 1000) / (performance.now() - sinceMs),
        });
      for (let round = 0; round < ROUNDS; round++) {
        const burstMs = performance.now();
        await Promise.all(Array.from({ length: BURST }, (_, i) => publish(`${round}-${i}`)));
        rate("fairlead", BURST, burstMs);
        const bareMs = performance.now();
        for (let i = 0; i < BARE; i++) insert.run(PAYLOAD);
        rate("sqlite-autocommit", BARE, bareMs);
        for (let i = 0; i < BARE; i++) {
          const oneMs = performance.now();
          await publish(`${round}-one-${i}`);
          const betweenMs = performance.now();
          insert.run(PAYLOAD);
          const [metric, unit] = ["publish_ack_us", "us"];
          sample({ metric, unit, subject: "fairlead", value: (betweenMs - oneMs) * 1000 });
          const value = (performance.now() - betweenMs) * 1000;
          sample({ metric, unit, subject: "sqlite-autocommit", value });
        }
      }
    } finally {
      bare.close();
      rmSync(directory, { recursive: true });
    }
  },
};
