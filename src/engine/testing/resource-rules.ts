// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import type { InstanceFact } from "#model/facts.ts";
import type { NetworkIntent, VolumeIntent } from "#model/intent.ts";
import { BY, isSlug, toRequest, withContainer, type Rule } from "./rule.ts";

/** A network with all that may be chosen. */
const NETWORK: NetworkIntent = {
  key: "rules",
  name: "rules-net",
  external: false,
  attachable: false,
  enableIpv6: false,
  hash: "",
  internal: true,
  options: { "com.docker.network.driver.mtu": "1400" },
  labels: { of: "rules" },
  ipam: { config: [{ Subnet: "10.123.45.0/24", Gateway: "10.123.45.1" }] },
};

const { ipam: _, ...PLAIN } = NETWORK;

export const resourceRules: Readonly<Record<string, Rule>> = {
  async "a network is made as it was asked for, seen, and removed once nobody uses it"(fixture) {
    const { engine } = fixture;
    const id = await engine.createNetwork(NETWORK, { owner: "us" }, BY);
    const listed = (await engine.listNetworks()).find((network) => network.id === id);
    assert.deepEqual(
      [listed?.name, listed?.driver, listed?.labels],
      ["rules-net", "bridge", { of: "rules", owner: "us" }],
    );
    await assert.rejects(engine.createNetwork(NETWORK, {}, BY), isSlug("name-taken"));
    const endpoint = { network: "rules-net", aliases: ["www"], ipv4Address: "10.123.45.9" };
    const more = { networkMode: "rules-net", endpoints: [endpoint] };
    await withContainer(fixture, toRequest(fixture, "on-net", {}, more), async (container) => {
      const fact = await engine.inspectInstance(container);
      assert.deepEqual(fact?.addresses, { "rules-net": "10.123.45.9" });
      const link = await engine.exec(container, ["cat", "/sys/class/net/eth0/mtu"], BY);
      assert.equal(link.stdout.trim(), "1400");
    });
    await engine.removeNetwork(id, BY);
    await engine.removeNetwork(id, BY);
    assert.ok(!(await engine.listNetworks()).some((network) => network.id === id));
  },
  async "a container is on several networks from its first moment"(fixture) {
    const { engine } = fixture;
    const names = ["rules-a", "rules-b", "rules-c"];
    for (const name of names) await engine.createNetwork({ ...PLAIN, name }, {}, BY);
    const endpoints = names.map((network) => ({ network, aliases: [`me.${network}`] }));
    const request = toRequest(fixture, "many", {}, { networkMode: "rules-a", endpoints });
    await withContainer(fixture, request, async (id) => {
      const fact = await engine.inspectInstance(id);
      assert.deepEqual(Object.keys(fact?.addresses ?? {}).sort(), names);
      assert.ok(Object.values(fact?.addresses ?? {}).every((address) => address !== ""));
    });
    for (const name of names) await engine.removeNetwork(name, BY);
  },
  async "a container is told of with its networks while it is being started"(fixture) {
    const { engine } = fixture;
    const names = ["rules-a", "rules-b"];
    for (const name of names) await engine.createNetwork({ ...PLAIN, name }, {}, BY);
    const endpoints = names.map((network) => ({ network }));
    const request = toRequest(fixture, "early", {}, { networkMode: "rules-a", endpoints });
    const id = await engine.createInstance(request, BY);
    const stop = new AbortController();
    const previews: Promise<InstanceFact | undefined>[] = [];
    const watching = (async () => {
      for await (const item of engine.watch({ signal: stop.signal })) {
        if (item.kind === "connected") void engine.startInstance(id, BY);
        if (item.kind !== "event" || item.event.attributes["container"] !== id) continue;
        previews.push(engine.previewInstance(id));
        if (previews.length === names.length) return;
      }
    })();
    await watching;
    stop.abort();
    const preview = (await Promise.all(previews)).at(-1);
    const fact = await engine.inspectInstance(id);
    assert.notEqual(preview?.state, "running");
    assert.equal(fact?.state, "running");
    for (const key of ["name", "scope", "service", "labels", "endpoints", "addresses"] as const)
      assert.deepEqual(preview?.[key], fact[key], key);
    await engine.removeInstance(id, { ...BY, force: true, anonymousVolumes: true });
    assert.equal(await engine.previewInstance(id), undefined);
    for (const name of names) await engine.removeNetwork(name, BY);
  },
  async "a volume is made, keeps what is written, and is removed once nobody uses it"(fixture) {
    const { engine } = fixture;
    const intent: VolumeIntent = {
      key: "rules",
      name: "rules-vol",
      external: false,
      options: {},
      labels: { of: "rules" },
      hash: "",
    };
    await engine.createVolume(intent, { owner: "us" }, BY);
    await engine.createVolume(intent, { owner: "us" }, BY);
    const listed = (await engine.listVolumes()).find((volume) => volume.name === "rules-vol");
    assert.deepEqual(listed?.labels, { of: "rules", owner: "us" });
    const HostConfig = { Binds: ["rules-vol:/data"] };
    await withContainer(fixture, toRequest(fixture, "writes", { HostConfig }), async (id) => {
      await engine.exec(id, ["touch", "/data/kept"], BY);
      await assert.rejects(engine.removeVolume("rules-vol", BY), isSlug("still-in-use"));
    });
    await withContainer(fixture, toRequest(fixture, "reads", { HostConfig }), async (id) => {
      assert.equal((await engine.exec(id, ["ls", "/data"], BY)).stdout, "kept\n");
    });
    await engine.removeVolume("rules-vol", BY);
    await engine.removeVolume("rules-vol", BY);
    assert.ok(!(await engine.listVolumes()).some((volume) => volume.name === "rules-vol"));
  },
  async "a port that another container holds is said with its name"(fixture) {
    const { engine } = fixture;
    const publish = {
      ExposedPorts: { "80/tcp": {} },
      HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "18080" }] } },
    };
    const request = (name: string) => toRequest(fixture, name, publish, { networkMode: "bridge" });
    await withContainer(fixture, request("holder"), async (holder) => {
      const fact = await engine.inspectInstance(holder);
      assert.equal(fact?.ports.length, 1);
      const second = await engine.createInstance(request("second"), BY);
      await assert.rejects(engine.startInstance(second, BY), (error: unknown) => {
        isSlug("port-in-use")(error);
        const { facts } = error as { facts: Record<string, unknown> };
        assert.deepEqual([facts["port"], facts["held by"]], ["18080", "container holder"]);
        return true;
      });
      await engine.removeInstance(second, { ...BY, force: true, anonymousVolumes: true });
    });
  },
};
