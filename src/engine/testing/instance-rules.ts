// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import type { EngineSignal } from "#engine/engine.ts";
import { OWN_LABELS } from "#model/facts.ts";
import { awaitEnd, BY, collect, isSlug, toRequest, withContainer, type Rule } from "./rule.ts";

const MIB = 1024 * 1024;

export const instanceRules: Readonly<Record<string, Rule>> = {
  async "a container goes through its whole life"(fixture) {
    const { engine } = fixture;
    const state = async (id: string) => (await engine.inspectInstance(id))?.state;
    const id = await engine.createInstance(toRequest(fixture, "life"), BY);
    assert.equal(await state(id), "created");
    await engine.startInstance(id, BY);
    await engine.startInstance(id, BY);
    assert.equal(await state(id), "running");
    await engine.pauseInstance(id, BY);
    assert.equal(await state(id), "paused");
    await engine.unpauseInstance(id, BY);
    const startedAtMs = (await engine.inspectInstance(id))?.startedAtMs ?? 0;
    await engine.restartInstance(id, { ...BY, graceMs: 0 });
    assert.ok(((await engine.inspectInstance(id))?.startedAtMs ?? 0) > startedAtMs);
    await engine.renameInstance(id, "life-2", BY);
    assert.equal((await engine.inspectInstance("life-2"))?.id, id);
    assert.equal(await engine.inspectInstance("life"), undefined);
    await engine.stopInstance(id, { ...BY, graceMs: 0, signalName: "SIGINT" });
    await engine.stopInstance(id, { ...BY, graceMs: 0 });
    assert.equal(await state(id), "exited");
    await engine.startInstance(id, BY);
    await engine.killInstance(id, BY);
    await awaitEnd(engine, id);
    await engine.killInstance(id, BY);
    assert.equal((await engine.inspectInstance(id))?.exitCode, 137);
    await engine.removeInstance(id, { ...BY, force: false, anonymousVolumes: true });
    assert.equal(await engine.inspectInstance(id), undefined);
  },
  async "what is not there is no error to stop, kill and remove, and one to everything else"({
    engine,
  }) {
    const force = { ...BY, force: true, anonymousVolumes: true };
    await engine.stopInstance("nobody", { ...BY, graceMs: 0 });
    await engine.killInstance("nobody", BY);
    await engine.removeInstance("nobody", force);
    assert.equal(await engine.inspectInstance("nobody"), undefined);
    assert.equal(await engine.inspectRaw("nobody"), undefined);
    assert.deepEqual(await engine.healthLog("nobody"), []);
    assert.deepEqual(await collect(engine.logs("nobody")), []);
    for (const asked of [
      () => engine.startInstance("nobody", BY),
      () => engine.renameInstance("nobody", "somebody", BY),
      () => engine.pauseInstance("nobody", BY),
      () => engine.exec("nobody", ["true"], BY),
      () => engine.putFiles("nobody", [], BY),
      () => collect(engine.stats("nobody")),
    ])
      await assert.rejects(asked, isSlug("not-there"));
  },
  async "several who remove the same container are all done; one that runs is refused without force"(
    fixture,
  ) {
    const { engine } = fixture;
    const unforced = { ...BY, force: false, anonymousVolumes: true };
    for (const [name, force] of [
      ["many-1", true],
      ["many-2", false],
    ] as const) {
      const id = await engine.createInstance(toRequest(fixture, name), BY);
      await engine.startInstance(id, BY);
      await assert.rejects(engine.removeInstance(id, unforced), isSlug("engine-refused"));
      if (!force) await engine.stopInstance(id, { ...BY, graceMs: 0 });
      await Promise.all(
        Array.from({ length: 12 }, () => engine.removeInstance(id, { ...unforced, force })),
      );
      while ((await engine.inspectInstance(id)) !== undefined);
    }
  },
  async "the list says of each what an inspection says"(fixture) {
    const { engine } = fixture;
    const labels = {
      [OWN_LABELS.scope]: "s",
      [OWN_LABELS.service]: "web",
      [OWN_LABELS.slot]: "3",
    };
    const request = toRequest(fixture, "listed", { Labels: { own: "yes" } }, { labels });
    await withContainer(fixture, request, async (id) => {
      const listed = (await engine.listInstances()).find((instance) => instance.id === id);
      assert.deepEqual(listed, await engine.inspectInstance(id));
      assert.deepEqual([listed?.scope, listed?.service, listed?.slot], ["s", "web", 3]);
      assert.deepEqual([listed?.name, listed?.image], ["listed", fixture.image]);
      assert.equal(listed?.labels["own"], "yes");
      const raw = await engine.inspectRaw(id);
      assert.equal(raw?.["Id"], id);
    });
  },
  async "how a container ended is read: its code, and when"(fixture) {
    const { engine } = fixture;
    const beforeMs = Date.now();
    const request = toRequest(fixture, "ended", { Cmd: ["sh", "-c", "exit 7"] });
    await withContainer(fixture, request, async (id) => {
      await awaitEnd(engine, id);
      const fact = await engine.inspectInstance(id);
      assert.deepEqual([fact?.state, fact?.exitCode], ["exited", 7]);
      assert.ok((fact?.startedAtMs ?? 0) >= beforeMs - 1_000);
      // Of a process this short the engine may note the end before it has noted the start.
      assert.ok((fact?.finishedAtMs ?? 0) >= beforeMs - 1_000);
    });
  },
  async "a refusal has its kind and the engine's words, and never the environment"(fixture) {
    const { engine } = fixture;
    const Env = ["TOKEN=hidden-value"];
    const isQuiet = (slug: string) => (error: unknown) =>
      isSlug(slug)(error) && !(error as Error).message.includes("hidden-value");
    await withContainer(fixture, toRequest(fixture, "taken", { Env }), async (id) => {
      const again = engine.createInstance(toRequest(fixture, "taken", { Env }), BY);
      await assert.rejects(again, isQuiet("name-taken"));
      const missing = toRequest(fixture, "x", { Image: "nowhere:1", Env });
      await assert.rejects(engine.createInstance(missing, BY), isQuiet("image-missing"));
      const wrong = toRequest(fixture, "y", { Env, HostConfig: { Memory: 1 } });
      await assert.rejects(engine.createInstance(wrong, BY), isQuiet("engine-refused"));
      const running = engine.removeInstance(id, { ...BY, force: false, anonymousVolumes: true });
      await assert.rejects(running, isSlug("engine-refused"));
    });
  },
  async "a program that is not in the image is the engine's refusal at the start"(fixture) {
    const { engine } = fixture;
    const id = await engine.createInstance(toRequest(fixture, "no", { Cmd: ["/no/such"] }), BY);
    await assert.rejects(engine.startInstance(id, BY), isSlug("engine-refused"));
    await engine.removeInstance(id, { ...BY, force: true, anonymousVolumes: true });
  },
  async "files are written with their modes, owners and long names"(fixture) {
    const { engine } = fixture;
    const long = `${"d".repeat(90)}/${"f".repeat(90)}`;
    const files = [
      { path: "/tmp/é x", mode: 0o640, uid: 12, gid: 34 },
      { path: `/tmp/${long}`, mode: 0o755, uid: 0, gid: 0 },
      { path: "/tmp/high", mode: 0o600, uid: 100_000_000, gid: 4_000_000 },
    ].map((file) => ({ ...file, content: Buffer.from(`né ${file.path}`) }));
    await withContainer(fixture, toRequest(fixture, "files"), async (id) => {
      await engine.putFiles(id, files, BY);
      for (const { path } of files)
        assert.equal((await engine.exec(id, ["cat", path], BY)).stdout, `né ${path}`);
      const owners = async (path: string) =>
        (await engine.exec(id, ["ls", "-ln", path], BY)).stdout.split(/\s+/).slice(0, 4);
      assert.deepEqual(await owners("/tmp/é x"), ["-rw-r-----", "1", "12", "34"]);
      assert.deepEqual(await owners("/tmp/high"), ["-rw-------", "1", "100000000", "4000000"]);
    });
  },
  async "what takes several requests has its name only once it is whole"(fixture) {
    const { engine } = fixture;
    const files = [{ path: "/run/key", mode: 0o400, uid: 0, gid: 0, content: Buffer.from("k") }];
    const request = toRequest(fixture, "whole", {}, { files });
    const find = async () =>
      (await engine.listInstances()).filter((i) => i.name.startsWith("whole"));
    const ended = new AbortController();
    const seen = engine.watch({ signal: ended.signal })[Symbol.asyncIterator]();
    await seen.next();
    await withContainer(fixture, request, async (id) => {
      const fact = await engine.inspectInstance("whole");
      assert.equal(fact?.id, id);
      assert.equal((await engine.exec(id, ["cat", "/run/key"], BY)).stdout, "k");
      const names: (string | undefined)[] = [];
      for (;;) {
        const { value } = (await seen.next()) as IteratorYieldResult<EngineSignal>;
        if (value.kind !== "event" || value.event.id !== id) continue;
        names.push(value.event.attributes["name"]);
        if (value.event.action === "rename") break;
      }
      // Made under the name that its label says, and under no other until it was complete.
      const passing = fact?.labels[OWN_LABELS.madeAs];
      assert.deepEqual([...new Set(names)], [passing, "whole"]);
      assert.notEqual(passing, "whole");
      await assert.rejects(engine.createInstance(request, BY), isSlug("name-taken"));
      assert.equal((await find()).length, 1, "what could not be completed is gone");
    });
    ended.abort();
    assert.deepEqual(await find(), []);
  },
  async "removed with its volumes that nobody named it leaves those that it was given by name"(
    fixture,
  ) {
    const { engine } = fixture;
    const list = async () => (await engine.listVolumes()).map(({ name }) => name).sort();
    const before = await list();
    const mount = (Target: string, Source?: string) => ({
      Type: "volume" as const,
      Target,
      ...(Source === undefined ? {} : { Source }),
    });
    const first = await engine.createInstance(
      toRequest(fixture, "first", { HostConfig: { Mounts: [mount("/data")] } }),
      BY,
    );
    const [own = ""] = (await list()).filter((name) => !before.includes(name));
    assert.deepEqual((await engine.inspectInstance(first))?.anonymousVolumes, [
      { name: own, target: "/data" },
    ]);
    const Mounts = [mount("/data", own), mount("/more")];
    const second = await engine.createInstance(
      toRequest(fixture, "second", { HostConfig: { Mounts } }),
      BY,
    );
    const both = (await engine.inspectInstance(second))?.anonymousVolumes ?? [];
    assert.deepEqual(both.map(({ target }) => target).sort(), ["/data", "/more"]);
    await engine.removeInstance(first, { ...BY, force: true, anonymousVolumes: false });
    await engine.removeInstance(second, { ...BY, force: true, anonymousVolumes: true });
    assert.deepEqual(await list(), [...before, own].sort());
    await engine.removeVolume(own, BY);
  },
  async "a command in a container: code, both streams, input, user, bounds and deadline"(fixture) {
    const { engine } = fixture;
    await withContainer(fixture, toRequest(fixture, "exec"), async (id) => {
      const script = ["sh", "-c", "cat; echo e >&2; exit 3"];
      const echoed = await engine.exec(id, script, { ...BY, stdin: "in" });
      assert.deepEqual(echoed, { exitCode: 3, stdout: "in", stderr: "e\n" });
      assert.equal((await engine.exec(id, ["id", "-u"], { ...BY, user: "42" })).stdout, "42\n");
      const much = await engine.exec(id, ["dd", "if=/dev/zero", "bs=1M", "count=3"], BY);
      assert.equal(much.stdout.length, MIB);
      assert.ok([126, 127].includes((await engine.exec(id, ["/no/such"], BY)).exitCode));
      const long = engine.exec(id, ["sleep", "100"], { ...BY, deadlineMs: 300 });
      await assert.rejects(long, isSlug("engine-timeout"));
      await engine.killInstance(id, BY);
      await awaitEnd(engine, id);
      await assert.rejects(engine.exec(id, ["true"], BY), isSlug("engine-refused"));
    });
  },
  async "readings of its use come about once a second and end with the container"(fixture) {
    const { engine } = fixture;
    const Cmd = ["sh", "-c", "while true; do true; done"];
    const request = toRequest(fixture, "busy", { Cmd, HostConfig: { Memory: 64 * MIB } });
    await withContainer(fixture, request, async (id) => {
      const [first, second] = await collect(engine.stats(id), 2);
      assert.ok(first !== undefined && second !== undefined);
      assert.ok(first.cpuPercent > 5 && first.cpuPercent < 150, `${first.cpuPercent} %`);
      assert.ok(first.memoryBytes > 0 && first.memoryBytes < 64 * MIB);
      assert.equal(first.memoryLimitBytes, 64 * MIB);
      assert.ok(first.pids >= 1);
      assert.ok(second.atMs - first.atMs > 500 && second.atMs - first.atMs < 5_000);
      const rest = collect(engine.stats(id));
      await engine.killInstance(id, BY);
      await engine.removeInstance(id, { ...BY, force: true, anonymousVolumes: true });
      await rest;
    });
  },
  async "what a health check said is kept"(fixture) {
    const { engine } = fixture;
    const second = 1_000_000_000;
    const Healthcheck = {
      Test: ["CMD-SHELL", "echo so ill; exit 1"],
      Interval: second / 10,
      Timeout: 5 * second,
      Retries: 1,
    };
    const ended = new AbortController();
    const seen = engine.watch({ signal: ended.signal })[Symbol.asyncIterator]();
    await seen.next();
    await withContainer(fixture, toRequest(fixture, "ill", { Healthcheck }), async (id) => {
      for (;;) {
        const { value } = (await seen.next()) as IteratorYieldResult<{ kind: string }>;
        const { event } = value as { event?: { action: string; id: string } };
        if (event?.id === id && event.action === "health_status: unhealthy") break;
      }
      assert.equal((await engine.inspectInstance(id))?.health, "unhealthy");
      const [check] = await engine.healthLog(id);
      assert.deepEqual([check?.exitCode, check?.output], [1, "so ill\n"]);
    });
    ended.abort();
  },
};
