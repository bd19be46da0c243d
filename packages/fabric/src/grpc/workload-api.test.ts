// SPDX-License-Identifier: Apache-2.0
// The Workload API over a real socket, and its messages as other implementations of SPIFFE read and write them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { beginCall, watchEnd } from "./client-call.ts";
import { Deframer } from "./deframer.ts";
import { splitDer } from "./der.ts";
import { openSession } from "./dial.ts";
import { frameMessage } from "./gzip.ts";
import { listen } from "./listen.ts";
import { createWorkloadMethods, WORKLOAD_HEADER, WORKLOAD_METHOD } from "./workload-api.ts";
import {
  decodeSvidResponse,
  encodeBundlesResponse,
  encodeSvidResponse,
  readPem,
  renderPem,
  type WorkloadMaterial,
} from "./workload-codec.ts";

const der = (length: number, fill: number): Buffer =>
  Buffer.concat([
    length < 128 ? Buffer.from([0x30, length]) : Buffer.from([0x30, 0x82, length >> 8, length]),
    Buffer.alloc(length, fill),
  ]);
const MATERIAL: WorkloadMaterial = {
  uri: "spiffe://harbour/shop/web",
  certificates: [der(300, 1), der(5, 2)],
  key: Buffer.from("key"),
  authorities: [der(127, 3), der(128, 4)],
  revoked: [der(1, 5)],
};

test("what is written is read again", () => {
  const read = decodeSvidResponse(encodeSvidResponse(MATERIAL));
  assert.deepEqual(read, MATERIAL);
  assert.deepEqual(readPem(renderPem(der(300, 1), "CERTIFICATE").repeat(2)), [
    der(300, 1),
    der(300, 1),
  ]);
});

test("the bytes are those of workload.proto", () => {
  const small = { ...MATERIAL, certificates: [der(1, 9)], authorities: [], revoked: [] };
  const svid = `0a19${Buffer.from(MATERIAL.uri).toString("hex")}1203300109` + "1a036b6579" + "2200";
  assert.equal(
    encodeSvidResponse(small).toString("hex"),
    `0a${(svid.length / 2).toString(16)}${svid}`,
  );
  const bundle = `0a10${Buffer.from("spiffe://harbour").toString("hex")}1200`;
  assert.equal(encodeBundlesResponse(small).toString("hex"), `1214${bundle}`);
});

test("what is no answer is an error, however it is cut", () => {
  const bytes = encodeSvidResponse(MATERIAL);
  for (let length = 0; length < bytes.length; length++) {
    // Cut between two fields of the outermost message it is whole, and lacks the list at its end.
    const isWhole = length === bytes.length - 5;
    const read = (): unknown => decodeSvidResponse(bytes.subarray(0, length));
    if (isWhole) read();
    else assert.throws(read, FabricError, `${length}`);
  }
  for (const wrong of ["31", "30", "3005", "308000", "30ffffffffff"])
    assert.throws(() => splitDer(Buffer.from(wrong, "hex")), FabricError, wrong);
});

test("a caller is given each change, and nothing without the header that shows it means it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-workload-"));
  let give: ((material: WorkloadMaterial) => void) | undefined;
  let fail: ((error: FabricError) => void) | undefined;
  const asked = Promise.withResolvers<void>();
  const path = join(directory, "a.sock");
  const methods = createWorkloadMethods((...ways) => {
    [give, fail] = ways;
    asked.resolve();
    return () => undefined;
  });
  await using _listener = await listen({ at: { path }, methods, onTransport: () => undefined });
  const { session } = await openSession({ address: `unix:${path}` });
  const call = (headers: Record<string, string>) => {
    const stream = beginCall(session, WORKLOAD_METHOD.svid, headers);
    stream.end(frameMessage(Buffer.alloc(0)));
    const uris: string[] = [];
    const deframer = new Deframer(65_536, (message) => uris.push(decodeSvidResponse(message).uri));
    stream.on("data", (chunk: Buffer) => deframer.push(chunk));
    return new Promise<{ readonly uris: readonly string[]; readonly code: string | undefined }>(
      (resolve) => watchEnd(stream, path, ({ error }) => resolve({ uris, code: error?.code })),
    );
  };
  try {
    assert.deepEqual(await call({}), { uris: [], code: "invalid_argument" });
    const answer = call({ [WORKLOAD_HEADER]: "true" });
    await asked.promise;
    give?.(MATERIAL);
    give?.({ ...MATERIAL, uri: "spiffe://harbour/shop/other" });
    fail?.(new FabricError("permission_denied", "it was killed"));
    assert.deepEqual(await answer, {
      uris: ["spiffe://harbour/shop/web", "spiffe://harbour/shop/other"],
      code: "permission_denied",
    });
  } finally {
    session.destroy();
    rmSync(directory, { recursive: true });
  }
});
