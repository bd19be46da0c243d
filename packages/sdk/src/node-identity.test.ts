// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { constants, createServer } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openIdentity } from "./node-identity.ts";

const DENIED = { ":status": 200, "content-type": "application/grpc+proto", "grpc-status": "7" };

test("a node that gives up the connection ends no program: it is asked again", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-identity-"));
  const path = join(directory, "node.sock");
  let asked = 0;
  const server = createServer().on("stream", (stream) => {
    stream.on("error", () => undefined);
    if (++asked === 1) stream.session?.goaway(constants.NGHTTP2_INTERNAL_ERROR);
    else stream.respond(DENIED, { endStream: true });
  });
  server.on("session", (session) => session.on("error", () => undefined));
  server.listen(path);
  await once(server, "listening");
  await assert.rejects(openIdentity({ node: `unix:${path}` }), { code: "permission_denied" });
  assert.equal(asked, 2);
  server.close();
  rmSync(directory, { recursive: true });
});
