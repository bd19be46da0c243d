// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { packImage, packTexts, toStream } from "./image-tar.ts";
import type { EngineFixture, Rule } from "./rule.ts";
import { BY, isSlug, toRequest, withContainer } from "./rule.ts";

async function hasTag({ engine }: EngineFixture, tag: string): Promise<boolean> {
  return (await engine.listImages()).some((image) => image.tags.includes(tag));
}

/** What a build needs besides its context. */
const BUILD = { ...BY, dockerfile: "Dockerfile", buildArgs: {}, labels: {} };

export const imageRules: Readonly<Record<string, Rule>> = {
  async "an image is tagged, found by its tag, and untagged"(fixture) {
    const { engine, image } = fixture;
    for (const [given, tag] of [
      ["host.test:5000/team/app", "host.test:5000/team/app:latest"],
      ["rules:2", "rules:2"],
    ] as const) {
      await engine.tagImage(image, given, BY);
      assert.ok(await hasTag(fixture, tag), tag);
      await engine.removeImage(tag, BY);
      await engine.removeImage(tag, BY);
      assert.ok(!(await hasTag(fixture, tag)));
    }
    assert.ok(await hasTag(fixture, image));
    await assert.rejects(engine.tagImage("nowhere:1", "rules:3", BY), isSlug("image-missing"));
  },
  async "a root file system is imported, with a tag, without one, with a registry's port"(fixture) {
    const { engine } = fixture;
    const tar = packTexts({ "/hello": "hello" });
    for (const [given, tag] of [
      ["imported:7", "imported:7"],
      ["imported", "imported:latest"],
      ["host.test:5000/imported", "host.test:5000/imported:latest"],
    ] as const) {
      const options = { ...BY, reference: given, changes: ['CMD ["/none"]'] };
      await engine.importImage(toStream(tar), options);
      assert.ok(await hasTag(fixture, tag), tag);
      await engine.removeImage(tag, BY);
    }
    const broken = engine.importImage(toStream(Buffer.from("no tar".repeat(500))), {
      ...BY,
      reference: "broken:1",
    });
    await assert.rejects(broken, isSlug("engine-refused"));
    assert.ok(!(await hasTag(fixture, "broken:1")));
  },
  async "an archive of images is loaded, and says which"(fixture) {
    const { engine } = fixture;
    const tar = packImage("loaded:1", { "/a": "a" });
    assert.deepEqual(await engine.loadImage(toStream(tar), BY), ["loaded:1"]);
    assert.ok(await hasTag(fixture, "loaded:1"));
    await engine.removeImage("loaded:1", BY);
    const broken = engine.loadImage(toStream(Buffer.alloc(3_000, 1)), BY);
    await assert.rejects(broken, isSlug("engine-refused"));
  },
  async "an image is described, saved by its id, always in the same bytes, and loaded again"(
    fixture,
  ) {
    const { engine } = fixture;
    await engine.loadImage(toStream(packImage("saved:1", { "/saved": "a" })), BY);
    const found = await engine.inspectImage("saved:1");
    assert.ok(found !== undefined);
    const { id, tags, os, arch } = found;
    assert.deepEqual(
      [tags, os, arch],
      [["saved:1"], "linux", process.arch === "arm64" ? "arm64" : "amd64"],
    );
    assert.deepEqual(await engine.inspectImage(id), found);
    const [first, second] = [await engine.exportImage(id), await engine.exportImage(id)];
    const saved = await buffer(first);
    assert.ok(saved.equals(await buffer(second)));
    await engine.removeImage("saved:1", BY);
    assert.equal(await engine.inspectImage(id), undefined);
    await assert.rejects(engine.exportImage(id), isSlug("image-missing"));
    await engine.loadImage(toStream(saved), BY);
    assert.deepEqual((await engine.inspectImage(id))?.tags, []);
    await engine.removeImage(id, BY);
  },
  async "FROM scratch is built with no registry in reach"(fixture) {
    const { engine } = fixture;
    const context = packTexts({
      Dockerfile: 'FROM scratch\nARG NOTE=none\nLABEL note=$NOTE\nCOPY a /a\nCMD ["/none"]\n',
      a: "content",
    });
    const lines: string[] = [];
    await engine.buildImage(toStream(context), {
      ...BUILD,
      tags: ["scratched:1", "scratched:2"],
      buildArgs: { NOTE: "from rules" },
      labels: { built: "yes" },
      onProgress: (line) => void lines.push(line),
    });
    assert.ok(lines.some((line) => /^Step 1\/\d+ : FROM scratch/.test(line)));
    const request = toRequest(fixture, "scratched", { Image: "scratched:2" });
    const id = await engine.createInstance(request, BY);
    const fact = await engine.inspectInstance(id);
    assert.deepEqual([fact?.labels["note"], fact?.labels["built"]], ["from rules", "yes"]);
    await engine.removeInstance(id, { ...BY, force: true, anonymousVolumes: true });
    for (const tag of ["scratched:1", "scratched:2"]) await engine.removeImage(tag, BY);
  },
  async "a stage of a build runs commands in an image that is there"(fixture) {
    const { engine, image } = fixture;
    const context = packTexts({
      "sub/File": `FROM ${image} AS made\nRUN echo built > /made\nFROM made AS unused\nRUN false\n`,
    });
    const options = { ...BUILD, dockerfile: "sub/File", target: "made", network: "none" };
    await engine.buildImage(toStream(context), { ...options, tags: ["staged:1"] });
    const request = toRequest(fixture, "staged", { Image: "staged:1" });
    await withContainer(fixture, request, async (id) => {
      assert.equal((await engine.exec(id, ["cat", "/made"], BY)).stdout, "built\n");
    });
    await engine.removeImage("staged:1", BY);
  },
  async "a build that fails says so with its last lines, and leaves no tag"(fixture) {
    const { engine, image } = fixture;
    const context = packTexts({ Dockerfile: `FROM ${image}\nRUN echo oh dear; exit 9\n` });
    const building = engine.buildImage(toStream(context), { ...BUILD, tags: ["failed:1"] });
    await assert.rejects(building, (error: unknown) => {
      isSlug("build-failed")(error);
      const { message, facts } = error as { message: string; facts: Record<string, string> };
      assert.match(message, /returned a non-zero code: 9/);
      assert.match(facts["last lines"] ?? "", /oh dear/);
      return true;
    });
    assert.ok(!(await hasTag(fixture, "failed:1")));
  },
  async "an image that nobody can bring is missing, with the engine's reason"({ engine }) {
    await assert.rejects(engine.pullImage("registry.invalid/a", BY), isSlug("image-missing"));
  },
};
