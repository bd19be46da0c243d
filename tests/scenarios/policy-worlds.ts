// SPDX-License-Identifier: Apache-2.0
// Worlds of policies for containers that stay: those that any of the recipes has, on one host or on several, with what is
// expected of packets between them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createLimiter } from "#base/limiter.ts";
import type { Packets, Probe } from "#lab/packets.ts";
import { until } from "#lab/rig.ts";
import { parsePolicies, type PolicyFile } from "#policy/parse-policies.ts";
import { isAllowed, type Cluster, type Manifest, type Pod } from "#policy/testing/oracle.ts";
import { readRecipes, type Recipe } from "#policy/testing/recipes.ts";

const PATIENCE_MS = 30_000;
/** So many are made at once. */
const WIDTH = 4;

/** Where containers are made. */
export interface WorldHost {
  readonly endpoint: string;
  /** By which name packets are sent from beside its networks; default `OUTSIDE`'s. */
  readonly outside?: string;
}

/** A container with its addresses. */
export interface WorldPod extends Omit<Pod, "address"> {
  /** Of its container, and by which packets are sent from it. */
  readonly name: string;
  readonly addresses: Readonly<Record<4 | 6, string>>;
  /** Where it was made. */
  readonly host?: WorldHost;
}

/** One question, and the answer that it shall have. */
export interface Case {
  readonly from: WorldPod;
  readonly to: WorldPod;
  readonly protocol: "TCP" | "UDP";
  readonly port: number;
  readonly family: 4 | 6;
}

/** Somebody outside of the cluster: an address of the host that is on no network of containers. */
export const OUTSIDE = {
  name: "outside",
  labels: {},
  ports: [],
  addresses: { 4: "203.0.113.9", 6: "2001:db8::9" },
} as const satisfies WorldPod;

/** All that anybody is asked for. */
export const SERVED = (["TCP", "UDP"] as const).flatMap((protocol) =>
  [53, 80, 85, 91, 443, 5000, 6379, 8000, 8080].map((port) => [protocol, port] as const),
);

const labelText = (labels: Pod["labels"]): string =>
  JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
const keyOf = (namespace: string, labels: Pod["labels"]): string =>
  `${namespace} ${labelText(labels)}`;

/** Names of ports are of TCP here: the label that names them knows no other. */
function portsOf({ ports }: Pick<Pod, "ports">): Pod["ports"] {
  return ports.filter(({ protocol }) => protocol === "TCP");
}

export const RECIPES = readRecipes();

interface Mould {
  readonly namespace: string;
  readonly labels: Pod["labels"];
  readonly ports: Pod["ports"];
}

/** What any recipe has, once. */
function listMoulds(): readonly Mould[] {
  const moulds = new Map<string, Mould>();
  for (const { pods } of RECIPES)
    for (const [name, pod] of Object.entries(pods)) {
      const namespace = name.split("/")[0] ?? "";
      const key = keyOf(namespace, pod.labels);
      const known = moulds.get(key)?.ports ?? [];
      const news = portsOf(pod).filter((one) => !known.some(({ port }) => port === one.port));
      moulds.set(key, { namespace, labels: pod.labels, ports: [...known, ...news] });
    }
  return [...moulds.values()];
}

interface Inspected {
  readonly State: { readonly Pid: number };
  readonly NetworkSettings: {
    readonly Networks: Readonly<
      Record<string, { readonly IPAddress: string; readonly GlobalIPv6Address: string }>
    >;
  };
}

const execute = promisify(execFile);

/** Makes one past Fairlead. */
async function makePod(
  { namespace, labels, ports }: Mould,
  name: string,
  { host, network, image, packets, flags = [] }: PodPlace & { readonly host: WorldHost },
): Promise<WorldPod> {
  const marks = {
    ...labels,
    "com.docker.compose.project": namespace,
    "com.docker.compose.service": name,
    "fairlead.port": ports.map(({ port, name: word }) => `${port}/${word}`).join(", "),
  };
  const words = Object.entries(marks).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
  const docker = async (...args: string[]): Promise<string> =>
    (await execute("docker", ["-H", host.endpoint, ...args])).stdout;
  const started = ["--init", "--name", name, "--network", network, ...words];
  await docker("run", "-d", ...started, ...flags, image, "sleep", "1000");
  const [seen] = JSON.parse(await docker("inspect", name)) as readonly Inspected[];
  const own = seen?.NetworkSettings.Networks[network];
  assert.ok(seen !== undefined && own !== undefined);
  await packets.open(name, `/proc/${seen.State.Pid}/ns/net`);
  await packets.serve(name, SERVED);
  const addresses = { 4: own.IPAddress, 6: own.GlobalIPv6Address };
  return { name, namespace, labels, ports, addresses, host };
}

interface PodPlace {
  readonly network: string;
  readonly image: string;
  readonly packets: Packets;
  /** Of `docker run`, besides. */
  readonly flags?: readonly string[];
}

/** Makes a container of each kind, on the hosts in turn, and answers in all of them. */
export function makePods(
  hosts: readonly WorldHost[],
  place: PodPlace,
): Promise<readonly WorldPod[]> {
  const limiter = createLimiter(WIDTH);
  return Promise.all(
    listMoulds().map((mould, index) => {
      const host = hosts[index % hosts.length];
      assert.ok(host !== undefined);
      return limiter.run(() => makePod(mould, `pod${index}`, { ...place, host }));
    }),
  );
}

/** The same for UDP as for TCP. */
function double(manifest: Manifest): Manifest {
  const both = (rules: Manifest["spec"]["ingress"]): Manifest["spec"]["ingress"] =>
    rules?.map(({ ports, ...rule }) =>
      ports === undefined
        ? rule
        : {
            ...rule,
            ports: ports.flatMap(({ protocol = "TCP", ...port }) =>
              protocol === "TCP" || protocol === "UDP"
                ? ["TCP", "UDP"].map((one) => ({ ...port, protocol: one }))
                : [{ ...port, protocol }],
            ),
          },
    );
  const { ingress, egress, ...spec } = manifest.spec;
  return {
    ...manifest,
    spec: {
      ...spec,
      ...(ingress && { ingress: both(ingress) ?? [] }),
      ...(egress && { egress: both(egress) ?? [] }),
    },
  };
}

/** A recipe's cluster with its probes, by both protocols and families; what it says itself is held against the evaluator. */
export function readRecipe(
  recipe: Recipe,
  pods: readonly WorldPod[],
): { readonly cluster: Cluster; readonly cases: readonly Case[] } {
  const byKey = new Map(pods.map((pod) => [keyOf(pod.namespace ?? "", pod.labels), pod]));
  const find = (name: string): WorldPod | undefined =>
    name === "EXT"
      ? OUTSIDE
      : byKey.get(keyOf(name.split("/")[0] ?? "", recipe.pods[name]?.labels ?? {}));
  const cluster = { namespaces: recipe.namespaces, policies: recipe.policies.map(double) };
  const cases = recipe.probes.flatMap((probe) => {
    const [from, to] = [find(probe.from), find(probe.to)];
    assert.ok(from !== undefined && to !== undefined, `${recipe.id}: ${JSON.stringify(probe)}`);
    return (["TCP", "UDP"] as const).flatMap((protocol) =>
      ([4, 6] as const).map((family): Case => {
        const one = { from, to, protocol, port: probe.port, family };
        if (protocol === probe.protocol && family === 4)
          assert.equal(expectOf(cluster, one), probe.expect === "allow", `${recipe.id} itself`);
        return one;
      }),
    );
  });
  return { cluster, cases };
}

function toPod({ namespace, labels, ports, addresses }: WorldPod, family: 4 | 6): Pod {
  const inside = namespace === undefined ? {} : { namespace };
  return { ...inside, labels, ports, address: addresses[family] };
}

/** What the second evaluator says. */
export function expectOf(cluster: Cluster, { from, to, family, protocol, port }: Case): boolean {
  return isAllowed(cluster, { from: toPod(from, family), to: toPod(to, family), protocol, port });
}

/** Policies of a cluster as the API takes them, each with a name of this world. */
function spellCluster(cluster: Cluster, world: string): PolicyFile {
  const documents = cluster.policies.map((policy, index) =>
    JSON.stringify({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      ...policy,
      metadata: { ...policy.metadata, name: `${world}-${index}` },
    }),
  );
  return parsePolicies(documents.join("\n---\n"), { file: "world.yaml", scope: "default" });
}

function describeCase({ from, to, family, protocol, port }: Case): string {
  return `${from.namespace ?? ""}/${from.name} -> ${to.namespace ?? ""}/${to.name} ${protocol}/${port} IPv${family}`;
}

/** Sends a packet for each; returns those with another answer than the evaluator's. */
export async function probeCases(
  cluster: Cluster,
  cases: readonly Case[],
  packets: Packets,
): Promise<readonly string[]> {
  const probes = cases.map((one): Probe => {
    const { from, to, family, protocol, port } = one;
    return {
      from: from === OUTSIDE ? (to.host?.outside ?? from.name) : from.name,
      address: to.addresses[family],
      protocol,
      port,
      expect: expectOf(cluster, one),
      ...(from === OUTSIDE ? { source: from.addresses[family] } : {}),
    };
  });
  const answers = await packets.ask(probes);
  return cases.flatMap((one, index) =>
    answers[index] === probes[index]?.expect
      ? []
      : [`${describeCase(one)}: ${answers[index] === true ? "answered" : "not answered"}`],
  );
}

type Ask = (
  path: string,
  options: { readonly method: string; readonly body?: unknown },
) => Promise<{ readonly status: number; readonly body: unknown }>;

/** Has one world after the other declared, each in place of the one before. */
export function createDeclarer(ask: Ask): (cluster: Cluster, world: string) => Promise<void> {
  const scopes = [...new Set(listMoulds().map(({ namespace }) => namespace))];
  let before: readonly string[] = [];
  return async (cluster, world) => {
    const { policies } = spellCluster(cluster, world);
    const labels = scopes.map((scope) => {
      const { "kubernetes.io/metadata.name": _, ...own } = cluster.namespaces[scope] ?? {};
      return [scope, own] as const;
    });
    const body = { policies, scopes: Object.fromEntries(labels), modes: {} };
    const declared = await ask("policies", { method: "PUT", body });
    assert.equal(declared.status, 200, JSON.stringify(declared.body));
    for (const removed of await Promise.all(
      before.map((name) => ask(`policies/${name}`, { method: "DELETE" })),
    ))
      assert.equal(removed.status, 200, JSON.stringify(removed.body));
    before = policies.map(({ scope, name }) => `${scope}/${name}`);
    // A machine that is busy says that rules are still being made.
    await until("it is in force", PATIENCE_MS, async () => {
      const { body } = await ask("policies", { method: "GET" });
      return (body as { missing: readonly string[] }).missing.length === 0;
    });
  };
}
