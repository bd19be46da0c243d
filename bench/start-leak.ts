// SPDX-License-Identifier: Apache-2.0
// A container is started over and over whose first act is to send to a peer that it may not call, and to call one that it may. What
// comes to the first is counted at its device, before any rule of ours; when it comes to the second, beside starts without a
// policy, says what the guard costs.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { IMAGE, openRig, until, type Rig } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";
import type { Bench } from "./bench.ts";

/** Starts with the guard; as many without it. */
const STARTS = Number(process.env["FAIRLEAD_BENCH_STARTS"] ?? 200);
/** So many of a kind in a row. */
const BLOCK = 20;
const PORT = 7_902;
const NETWORK = "leak";
const SCOPE = "leak";
const PATIENCE_MS = 30_000;
const PROBE = fileURLToPath(new URL("./start-leak-probe.ts", import.meta.url));

interface Peer {
  readonly netns: string;
  readonly address: string;
}

interface Ground {
  readonly rig: Rig;
  readonly denied: Peer;
  readonly allowed: Peer;
  /** When connections came to the allowed one. */
  readonly cameMs: number[];
}

const docker = ({ lab }: Rig, ...args: string[]): string =>
  runProgram("docker", ["-H", lab.endpoint, ...args]).trim();

function listLabels(service: string): readonly string[] {
  const project = `com.docker.compose.project=${SCOPE}`;
  return ["--label", project, "--label", `com.docker.compose.service=${service}`];
}

function startPeer(rig: Rig, name: string): Peer {
  const words = ["--name", name, "--network", NETWORK, ...listLabels(name)];
  docker(rig, "run", "-d", ...words, IMAGE, "sleep", "100000");
  const format = "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  const [pid = "", address = ""] = docker(rig, "inspect", "-f", format, name).split(" ");
  return { netns: `/proc/${pid}/ns/net`, address };
}

const nft = ({ netns }: Peer, ...command: string[]): string =>
  runProgram("nsenter", [`--net=${netns}`, "nft", ...command]);

/** Counts pings that come to a peer. */
function countPings(peer: Peer): () => number {
  nft(peer, "add", "table", "ip", "seen");
  nft(peer, "add", "chain", "ip", "seen", "in", "{ type filter hook prerouting priority -400; }");
  nft(peer, "add", "rule", "ip", "seen", "in", "icmp", "type", "echo-request", "counter");
  return () => Number(/packets (\d+)/.exec(nft(peer, "list", "table", "ip", "seen"))?.[1]);
}

/** Isolates the starter, or nobody. */
async function declare(rig: Rig, mode: "enforce" | "off"): Promise<void> {
  const at = { file: "policy.yaml", line: 1 };
  const select = (service: string) => ({ labels: { service }, requirements: [] });
  const peers = [{ kind: "instances", instances: select("allowed") }];
  const policy = {
    scope: SCOPE,
    name: "starter",
    instances: select("starter"),
    at,
    egress: [{ peers, ports: [{ protocol: "TCP", port: PORT }], at }],
  };
  const body = { policies: [policy], scopes: {}, modes: { [SCOPE]: mode } };
  const answer = await rig.ask<unknown>("policies", { method: "PUT", body });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
}

/** Starts it once; returns when it was heard by the one that it may call, ms from the request. */
async function start({ rig, cameMs }: Ground): Promise<number> {
  const before = cameMs.length;
  const beganMs = performance.timeOrigin + performance.now();
  docker(rig, "start", "starter");
  await until("it is heard", PATIENCE_MS, () => cameMs.length > before);
  // A first act that was still on its way must not be cut off.
  await until("it ends", PATIENCE_MS, () => {
    return docker(rig, "inspect", "-f", "{{.State.Running}}", "starter") === "false";
  });
  return (cameMs.at(-1) ?? Number.NaN) - beganMs;
}

async function prepare(rig: Rig): Promise<Ground & Disposable> {
  docker(rig, "network", "create", NETWORK);
  const [denied, allowed] = [startPeer(rig, "denied"), startPeer(rig, "allowed")];
  const sends = `ping -c 1 -W 1 ${denied.address} & nc ${allowed.address} ${PORT} </dev/null; wait`;
  const words = ["--name", "starter", "--network", NETWORK, ...listLabels("starter")];
  docker(rig, "create", ...words, IMAGE, "sh", "-c", sends);
  const child = spawn("nsenter", [`--net=${allowed.netns}`, process.execPath, PROBE, `${PORT}`], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const cameMs: number[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => cameMs.push(Number(line)));
  const ground = { rig, denied, allowed, cameMs };
  return { ...ground, [Symbol.dispose]: () => void child.kill("SIGKILL") };
}

/** `npm run bench -- start-leak` */
export const startLeak: Bench = {
  name: "start-leak",
  about:
    "starts whose first act is to send to a denied peer: what arrives, and what the guard adds",
  async run({ say, sample }) {
    await using rig = await openRig({ inside: true });
    await rig.startNode();
    using ground = await prepare(rig);
    const count = countPings(ground.denied);
    await start(ground);
    for (let done = 0; done < STARTS; done += BLOCK) {
      say(`${done} of ${STARTS} starts`);
      for (const subject of ["none", "fairlead"]) {
        await declare(rig, subject === "none" ? "off" : "enforce");
        const before = count();
        for (let i = 0; i < Math.min(BLOCK, STARTS - done); i++)
          sample({ metric: "first_call_ms", unit: "ms", subject, value: await start(ground) });
        const arrived = count() - before;
        sample({ metric: "arrived_at_denied", unit: "packets", subject, value: arrived });
      }
    }
  },
};
