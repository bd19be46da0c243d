// SPDX-License-Identifier: Apache-2.0
// S11: what others chose as a name or said in a log must not move the cursor, colour lines, set titles or hide anything.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startApi } from "#api/testing/start-api.ts";
import { runFairlead } from "./testing/run-fairlead.ts";

const EVIL = "web\u001b[2J\u001b]0;owned\u0007\r\u202e\u009b31m\u0000x";
// What a terminal acts on: all controls but line ends and tabs, C1, and marks that turn the direction of text.
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const ACTED_ON = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe("names and reasons of others on a terminal", { concurrency: 2 }, () => {
  for (const line of [
    "ps -A",
    "services -A",
    "services -A -o wide",
    "services -A -o name",
    "why worker --scope shop",
  ])
    test(`${line} prints no control of theirs`, async () => {
      await using api = await startApi();
      api.fake.services.forEach((service, index) => {
        const instances = service.instances.map((one) => ({
          ...one,
          name: `${one.name}${EVIL}`,
          image: EVIL,
        }));
        api.fake.services[index] = { ...service, reason: EVIL, image: EVIL, instances };
      });
      const env = { FAIRLEAD_SOCKET: api.socketPath, COLUMNS: "200" };
      const { stdout, stderr } = await runFairlead(line.split(" "), { env });
      assert.ok(stdout.length > 0, stderr);
      assert.doesNotMatch(stdout + stderr, ACTED_ON);
    });
});

test("what others named is harmless in documents too: policies of rights", async () => {
  await using api = await startApi();
  // As arguments they have no zero byte.
  const evil = EVIL.replaceAll("\0", "");
  const env = { FAIRLEAD_SOCKET: api.socketPath, COLUMNS: "200" };
  const line = ["rights", "test", evil, "pay", "--scope", "shop"];
  const { stdout, stderr } = await runFairlead(line, { env });
  assert.match(stdout, /permits it/, stderr);
  assert.doesNotMatch(stdout + stderr, ACTED_ON);
});
