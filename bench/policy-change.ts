// SPDX-License-Identifier: Apache-2.0
// A policy or a label of a scope is changed at one node: when do packets meet the change on every host of three? From the moment
// that the request is sent; on each host an instance of its own sends to another each millisecond.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { PolicyRequest } from "@fairlead/protocol/policy.ts";
import { startFleet } from "#lab/fleet.ts";
import type { HostNode } from "#lab/host-node.ts";
import { askSocket, IMAGE, until } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";
import { OWN_LABELS } from "#model/facts.ts";
import { ensurePackages, TEST_NEEDS } from "../scripts/setup.ts";
import type { BenchTools } from "./bench.ts";
import type { ProbeLine } from "./policy-probe.ts";

const ROUNDS = Number(process.env["FAIRLEAD_BENCH_ROUNDS"] ?? 10);
const HOSTS = 3;
const PATIENCE_MS = 30_000;
/** A change comes when what the last one led to is done: what is opened is seen at once, what is closed only after a while. */
const REST_MS = 250;
const PROBE = fileURLToPath(new URL("./policy-probe.ts", import.meta.url));
const SCOPE = "wide";
const one = `
    image: ${IMAGE}
    command: ["sleep", "100000"]
    stop_signal: SIGKILL
    deploy: { replicas: ${HOSTS}, placement: { max_replicas_per_node: 1 } }`;
const FILE = `
name: ${SCOPE}
services:
  asker: ${one}
  called: ${one}
networks:
  default: { driver: vxlan }
`;

/** A host with what its own asker has seen. */
interface Place {
  readonly node: HostNode;
  readonly seen: ProbeLine[];
}

function docker({ host }: HostNode, ...args: string[]): string {
  return runProgram("docker", ["-H", host.endpoint, ...args]).trim();
}

function findEnd(node: HostNode, service: string): { netns: string; address: string } {
  const labels = [`${OWN_LABELS.scope}=${SCOPE}`, `${OWN_LABELS.service}=${service}`];
  const id = docker(node, "ps", "-q", ...labels.flatMap((one) => ["--filter", `label=${one}`]));
  const format = "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  const [pid = "", address = ""] = docker(node, "inspect", "-f", format, id).split(" ");
  return { netns: `/proc/${pid}/ns/net`, address };
}

/** Starts to send from one instance of a host to another. */
function watch({ node, seen }: Place): Disposable {
  const [asker, called] = [findEnd(node, "asker"), findEnd(node, "called")];
  const start = (netns: string, ...args: string[]) =>
    spawn("nsenter", [`--net=${netns}`, process.execPath, PROBE, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
  const children = [start(called.netns, "serve"), start(asker.netns, "ask", called.address)];
  const [, asking] = children;
  if (asking !== undefined)
    createInterface({ input: asking.stdout }).on("line", (line) =>
      seen.push(JSON.parse(line) as ProbeLine),
    );
  return { [Symbol.dispose]: () => void children.map((child) => child.kill("SIGKILL")) };
}

/** Lets those of a service be called from scopes with a label. */
function makeRequest(team: { readonly wanted: string; readonly given: string }): PolicyRequest {
  const at = { file: "policy.yaml", line: 1 };
  const select = (labels: Record<string, string>) => ({ labels, requirements: [] });
  const peers = [
    { kind: "instances" as const, scopes: select({ team: team.wanted }), instances: select({}) },
  ];
  return {
    policies: [
      {
        scope: SCOPE,
        name: "called",
        instances: select({ service: "called" }),
        ingress: [{ peers, ports: [], at }],
        at,
      },
    ],
    scopes: { [SCOPE]: { team: team.given } },
    modes: {},
  };
}

/** Changes something; returns when packets meet it on the last of the hosts, ms from when it was asked for. */
async function change(
  places: readonly Place[],
  team: { readonly wanted: string; readonly given: string },
): Promise<number> {
  const passes = team.wanted === team.given;
  const [first] = places;
  if (first === undefined) return Number.NaN;
  await sleep(REST_MS);
  const beganMs = performance.timeOrigin + performance.now();
  const body = makeRequest(team);
  const asked = askSocket(first.node.socket, "policies", { method: "PUT", body });
  const times: number[] = [];
  for (const { node, seen } of places)
    await until(`${node.host.name} meets the change`, PATIENCE_MS, () => {
      const last = seen.at(-1);
      if (last?.passes !== passes) return false;
      times.push(last.sinceMs - beganMs);
      return true;
    });
  const { status, body: answer } = await asked;
  if (status !== 200) throw new Error(`${status}: ${JSON.stringify(answer)}`);
  return Math.max(...times);
}

/** One that is taken away, one that is given, by a policy and by a label. */
const CHANGES = [
  ["policy", { wanted: "blue", given: "red" }],
  ["policy", { wanted: "red", given: "red" }],
  ["label", { wanted: "red", given: "blue" }],
  ["label", { wanted: "red", given: "red" }],
] as const;

/** Three hosts with an engine, a node and a member of etcd each. */
export async function measureChange({ say, sample }: BenchTools): Promise<void> {
  ensurePackages(TEST_NEEDS);
  await using stack = new AsyncDisposableStack();
  say(`changes: ${HOSTS} hosts`);
  const fleet = stack.use(await startFleet({ hosts: HOSTS }));
  const places = fleet.nodes.map((node): Place => ({ node, seen: [] }));
  const [first] = fleet.nodes;
  if (first === undefined) return;
  const up = await first.cli("up", "-f", first.file(FILE), "--timeout", "120s");
  if (up.code !== 0) throw new Error(up.stdout + up.stderr);
  for (const place of places) stack.use(watch(place));
  await until("all are open", PATIENCE_MS, () => places.every(({ seen }) => seen.at(-1)?.passes));
  await change(places, { wanted: "red", given: "red" });
  for (let round = 0; round < ROUNDS; round++) {
    say(`changes, round ${round + 1} of ${ROUNDS}`);
    for (const [what, team] of CHANGES) {
      const value = await change(places, team);
      const way = team.wanted === team.given ? "opened" : "closed";
      for (const metric of ["change_to_enforced_ms", `${what}_to_${way}_ms`])
        sample({ metric, unit: "ms", subject: "fairlead", value });
    }
  }
}
