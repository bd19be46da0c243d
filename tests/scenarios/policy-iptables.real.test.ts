// SPDX-License-Identifier: Apache-2.0
// A host without nft: policies are enforced by iptables, with real packets between real containers, and what it cannot hold is refused
// and said.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { linkLackingPath } from "#lab/lacking-path.ts";
import { startPackets } from "#lab/packets.ts";
import { IMAGE, openRig, until, type Rig } from "#lab/rig.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import { parsePolicies } from "#policy/parse-policies.ts";
import {
  createDeclarer,
  makePods,
  OUTSIDE,
  probeCases,
  readRecipe,
  RECIPES,
  SERVED,
  type WorldPod,
} from "./policy-worlds.ts";

/** Ids of recipes with commas between, or `all`. Those by default have ingress, egress, names of ports, and somebody outside. */
const CHOSEN =
  process.env["FAIRLEAD_POLICY_RECIPES"] ?? "recipe-02,recipe-09-named,recipe-11-2,recipe-14";
const PATIENCE_MS = 20_000;
const NETWORK = "packets";

const docker = (...args: string[]): string =>
  runProgram("docker", ["-H", rig.lab.endpoint, ...args]);

const packets = startPackets();
let rig: Rig;
let usual: string | undefined;
let pods: readonly WorldPod[] = [];
let declare: ReturnType<typeof createDeclarer>;

before(async () => {
  rig = await openRig({ inside: true });
  usual = rig.env["PATH"];
  rig.env["PATH"] = linkLackingPath(join(rig.directory, "without-nft"), (name) => name === "nft");
  await rig.startNode();
  const { endpoint, netns } = rig.lab;
  const subnets = ["--subnet", "10.92.0.0/24", "--ipv6", "--subnet", "fd00:92::/64"];
  docker("network", "create", ...subnets, NETWORK);
  runInNamespace(netns, "ip", ["address", "add", `${OUTSIDE.addresses[4]}/32`, "dev", "lo"]);
  runInNamespace(netns, "ip", [
    "address",
    "add",
    `${OUTSIDE.addresses[6]}/128`,
    "dev",
    "lo",
    "nodad",
  ]);
  await packets.open(OUTSIDE.name, `/run/netns/${netns}`);
  await packets.serve(OUTSIDE.name, SERVED, Object.values(OUTSIDE.addresses));
  const flags = ["--cap-drop", "NET_RAW"];
  pods = await makePods([{ endpoint }], { network: NETWORK, image: IMAGE, packets, flags });
  declare = createDeclarer((path, options) => rig.ask(path, options));
});
after(async () => {
  await packets[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
});

describe("the recipes, by packets of TCP and UDP over IPv4 and IPv6", () => {
  for (const recipe of RECIPES)
    if (CHOSEN === "all" || CHOSEN.split(",").includes(recipe.id))
      test(`${recipe.id}: ${recipe.title}`, async () => {
        const { cluster, cases } = readRecipe(recipe, pods);
        await declare(cluster, recipe.id);
        assert.deepEqual(await probeCases(cluster, cases, packets), []);
      });
});

const listRules = (): string => runInNamespace(rig.lab.netns, "ebtables-save", []);

const findAddress = (name: string): string =>
  docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name).trim();

/** Runs a container that answers, or does something. */
async function add(name: string, flags: readonly string[], act = "sleep 1000"): Promise<void> {
  const labels = ["project=crew", `service=${name}`].flatMap((one) => [
    "--label",
    `com.docker.compose.${one}`,
  ]);
  const words = ["--init", "--name", name, "--network", NETWORK, ...labels, ...flags];
  docker("run", "-d", ...words, IMAGE, "sh", "-c", act);
  const pid = docker("inspect", "-f", "{{.State.Pid}}", name).trim();
  await packets.open(name, `/proc/${pid}/ns/net`);
  await packets.serve(name, SERVED);
}

/** `agent` and `starter` may call `friend`. */
function policiesOf(): readonly unknown[] {
  const text = ["agent", "starter"].map((service) =>
    JSON.stringify({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: service, namespace: "crew" },
      spec: {
        podSelector: { matchLabels: { service } },
        policyTypes: ["Egress"],
        egress: [{ to: [{ podSelector: { matchLabels: { service: "friend" } } }] }],
      },
    }),
  );
  return parsePolicies(text.join("\n---\n"), { file: "crew.yaml", scope: "crew" }).policies;
}

test("what was sent before the rules were in never comes through, and what may be called is heard", async () => {
  const weak = ["--cap-drop", "NET_RAW"];
  await add("friend", weak);
  await add("stranger", weak);
  await declare({ namespaces: {}, policies: [] }, "none");
  const body = { policies: policiesOf(), scopes: {}, modes: {} };
  assert.equal((await rig.ask("policies", { method: "PUT", body })).status, 200);
  const needle = randomBytes(12).toString("hex");
  const denied = await packets.watch("stranger", "eth0", Buffer.from(needle));
  const heard = await packets.watch("friend", "eth0", Buffer.from(needle));
  // A name to ask for, in a datagram.
  const tell = (name: string): string => `timeout 1 nslookup ${needle} ${findAddress(name)}`;
  const act = `${tell("stranger")} & while true; do ${tell("friend")}; done`;
  for (const round of [1, 2]) {
    await add("starter", weak, act);
    const before = await heard();
    await until("it is heard", PATIENCE_MS, async () => (await heard()) > before);
    assert.equal(await denied(), 0, `start ${round}`);
    docker("rm", "-f", "starter");
  }
});

test("what iptables cannot hold carries nothing, and every face says why", async () => {
  const address = findAddress("friend");
  await add("agent", []);
  const call = { address, protocol: "TCP", port: 80, expect: false } as const;
  await until("the service says so", PATIENCE_MS, async () => {
    const { stdout } = await rig.cli(["services", "--scope", "crew"]);
    return stdout.includes("FL1705");
  });
  assert.deepEqual(await packets.ask([{ ...call, from: "agent" }]), [false]);
  const { stderr } = await rig.cli(["ps", "--scope", "crew"]);
  assert.match(stderr, /agent: degraded: .*with NET_RAW it could call whom its policies forbid/);
  const listed = await rig.cli(["policy", "ls"]);
  assert.match(`${listed.stdout}${listed.stderr}`, /FL1705/);
  const said = await rig.cli(["doctor", "-o", "json"]);
  assert.match(said.stdout, /FL0877/);
  docker("rm", "-f", "agent");
});

test("a node that finds nftables takes over, and leaves nothing of iptables behind", async () => {
  await add("starter", ["--cap-drop", "NET_RAW"]);
  const [friend, stranger] = [findAddress("friend"), findAddress("stranger")];
  const call = { from: "starter", protocol: "TCP", port: 80 } as const;
  const calls = [
    { ...call, address: friend, expect: true },
    { ...call, address: stranger, expect: false },
  ];
  assert.deepEqual(await packets.ask(calls), [true, false]);
  assert.match(listRules(), /FAIRLEAD/);
  const pid = docker("inspect", "-f", "{{.State.Pid}}", "starter").trim();
  await rig.endNode("SIGKILL");
  assert.deepEqual(await packets.ask(calls), [true, false], "while no node runs");
  rig.env["PATH"] = usual;
  await rig.startNode();
  await until("it has taken over", PATIENCE_MS, () => !listRules().includes("FAIRLEAD"));
  assert.deepEqual(await packets.ask(calls), [true, false]);
  const inside = runProgram("nsenter", [`--net=/proc/${pid}/ns/net`, "iptables-save"]);
  assert.doesNotMatch(inside, /FAIRLEAD/);
});
