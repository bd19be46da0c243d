// SPDX-License-Identifier: Apache-2.0
// Engines of other versions than the one at hand, played by a server that answers as they do.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FairleadError } from "#base/errors.ts";
import { openEngineReader } from "#engine/open-reader.ts";

interface Played extends AsyncDisposable {
  readonly endpoint: string;
  readonly paths: string[];
  offered: string | undefined;
}

/** Says `offered` to a ping, refuses every version below `oldest`, and has no images. */
async function playEngine(offered: string | undefined, oldest = "1.24"): Promise<Played> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-version-"));
  const played = { offered, paths: [] as string[] };
  const server = createServer(({ url = "" }, answer) => {
    played.paths.push(url);
    if (url === "/_ping") {
      if (played.offered !== undefined) answer.setHeader("Api-Version", played.offered);
      return void answer.end("OK");
    }
    const asked = /^\/v(\d+\.\d+)/.exec(url)?.[1] ?? "";
    const [minor, least] = [asked, oldest].map((version) => Number(version.split(".")[1]));
    if ((minor ?? 0) >= (least ?? 0)) return void answer.end("[]");
    const message = `client version ${asked} is too old. Minimum supported API version is ${oldest}, please upgrade your client to a newer version`;
    return void answer.writeHead(400).end(JSON.stringify({ message }));
  });
  const path = join(directory, "d.sock");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return Object.assign(played, {
    endpoint: `unix://${path}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(directory, { recursive: true, force: true });
    },
  });
}

const clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs: number) => sleep(delayMs),
};

function openOn({ endpoint }: Played) {
  return openEngineReader({ endpoint, env: {} }, { clock, random: Math.random });
}

for (const [offered, spoken] of [
  ["1.41", "1.41"],
  ["1.47", "1.47"],
  ["1.52", "1.52"],
  ["1.60", "1.52"],
] as const) {
  test(`an engine that offers API ${offered} is spoken to in ${spoken}`, async () => {
    await using played = await playEngine(offered);
    await using engine = openOn(played);
    assert.deepEqual(await engine.listImages(), []);
    await engine.listImages();
    assert.deepEqual(played.paths, [
      "/_ping",
      `/v${spoken}/images/json`,
      `/v${spoken}/images/json`,
    ]);
  });
}

for (const offered of ["1.30", "1.40", undefined]) {
  test(`an engine that offers ${offered ?? "no version"} is too old, and is not asked further`, async () => {
    await using played = await playEngine(offered);
    await using engine = openOn(played);
    const asked = engine.listImages();
    await assert.rejects(asked, (error: unknown) => {
      assert.ok(error instanceof FairleadError && error.kind.slug === "engine-too-old");
      assert.equal(error.facts["needed"], "1.41");
      return true;
    });
    assert.deepEqual(played.paths, ["/_ping"]);
  });
}

test("an engine that no longer speaks what we know is too new", async () => {
  await using played = await playEngine("1.70", "1.60");
  await using engine = openOn(played);
  await assert.rejects(
    engine.listImages(),
    (error: unknown) => error instanceof FairleadError && error.kind.slug === "engine-too-new",
  );
});

test("an engine that was too old is asked again, and used once it was updated", async () => {
  await using played = await playEngine("1.30");
  await using engine = openOn(played);
  await assert.rejects(engine.listImages());
  played.offered = "1.44";
  assert.deepEqual(await engine.listImages(), []);
  assert.equal(played.paths.at(-1), "/v1.44/images/json");
});
