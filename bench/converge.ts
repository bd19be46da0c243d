// SPDX-License-Identifier: Apache-2.0
// An instance is started on one host: when is it in the answers of DNS on every other host, and reached at its own address
// over a network that spans them? Counted from the engine's event that it runs; it has no health check, so that is when it is well.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openEngineReader } from "#engine/open-reader.ts";
import { startFleet } from "#lab/fleet.ts";
import type { HostNode } from "#lab/host-node.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";
import { OWN_LABELS } from "#model/facts.ts";
import { createSystemClock } from "#node/system-clock.ts";
import type { Bench } from "./bench.ts";
import { watchStarts, type StartTimes } from "./watch-starts.ts";

const ROUNDS = Number(process.env["FAIRLEAD_BENCH_ROUNDS"] ?? 30);
const HOSTS = 3;
const PORT = 7_000;
const PATIENCE_MS = 30_000;
const PROBE = fileURLToPath(new URL("./converge-probe.ts", import.meta.url));
const placed = `deploy: { replicas: ${HOSTS}, placement: { max_replicas_per_node: 1 } }`;
const FILE = `
name: wide
services:
  beat:
    image: ${IMAGE}
    command: ["nc", "-ll", "-p", "${PORT}", "-e", "/bin/cat"]
    stop_signal: SIGKILL
    labels: { fairlead.heal: "restart max=1000/10m" }
    ${placed}
  probe: { image: ${IMAGE}, command: ["sleep", "100000"], stop_signal: SIGKILL, ${placed} }
networks:
  default: { driver: vxlan }
`;

interface Seen {
  readonly address: string;
  readonly namedMs: number;
  readonly reachedMs: number;
}

/** A host with what is seen from it. */
interface Place {
  readonly node: HostNode;
  readonly starts: StartTimes;
  readonly seen: Seen[];
}

function docker({ host }: HostNode, ...args: string[]): string {
  return runProgram("docker", ["-H", host.endpoint, ...args]).trim();
}

function findContainer(node: HostNode, service: string): string {
  const label = (name: string, value: string): string[] => ["--filter", `label=${name}=${value}`];
  const which = [...label(OWN_LABELS.scope, "wide"), ...label(OWN_LABELS.service, service)];
  return docker(node, "ps", "-q", ...which);
}

/** Starts to look from an instance of its own on that host. */
function probe({ node, seen }: Place): Disposable {
  const pid = docker(node, "inspect", "-f", "{{.State.Pid}}", findContainer(node, "probe"));
  const name = "beat.wide.fairlead.internal";
  const command = [process.execPath, PROBE, node.host.ip, name, String(PORT)];
  const child = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, ...command], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  createInterface({ input: child.stdout }).on("line", (line) =>
    seen.push(JSON.parse(line) as Seen),
  );
  return { [Symbol.dispose]: () => void child.kill("SIGKILL") };
}

async function runRound(
  at: Place,
  others: readonly Place[],
  put: (metric: string, value: number) => void,
): Promise<void> {
  const killedMs = performance.timeOrigin + performance.now();
  docker(at.node, "kill", findContainer(at.node, "beat"));
  const isBeat = ({ attributes }: { readonly attributes: Readonly<Record<string, string>> }) =>
    attributes[OWN_LABELS.service] === "beat";
  const startedMs = await at.starts.next(killedMs, isBeat);
  const named: number[] = [];
  const reached: number[] = [];
  // Nobody asks the engine meanwhile: that would slow down what is measured.
  for (const { node, seen } of others)
    await until(`what started is reached from ${node.host.name}`, PATIENCE_MS, () => {
      const found = seen.find((one) => one.namedMs > startedMs);
      if (found === undefined) return false;
      named.push(found.namedMs - startedMs);
      reached.push(found.reachedMs - startedMs);
      return true;
    });
  put("named_ms", Math.max(...named));
  put("converge_ms", Math.max(...reached));
}

export const converge: Bench = {
  name: "converge",
  about: "an instance starts: when it is named and reached at its address on every other host",
  async run({ say, sample }) {
    await using stack = new AsyncDisposableStack();
    say(`${HOSTS} hosts`);
    const settings = (index: number) => ({ FAIRLEAD_DNS_LISTEN: `198.51.100.${index + 1}:53` });
    const fleet = stack.use(await startFleet({ hosts: HOSTS, settings }));
    const parts = { clock: createSystemClock(), random: Math.random };
    const places = fleet.nodes.map((node): Place => {
      const reader = openEngineReader({ endpoint: node.host.endpoint, env: {} }, parts);
      return { node, starts: stack.use(watchStarts(stack.use(reader))), seen: [] };
    });
    const [first] = places;
    if (first === undefined) return;
    const up = await first.node.cli("up", "-f", first.node.file(FILE), "--timeout", "120s");
    if (up.code !== 0) throw new Error(up.stdout + up.stderr);
    for (const place of places) stack.use(probe(place));
    for (const { node, seen } of places)
      await until(`${node.host.name} knows all`, PATIENCE_MS, () => seen.length >= HOSTS);
    for (let round = 0; round < ROUNDS; round++) {
      const at = places[round % places.length];
      if (at === undefined) return;
      say(`round ${round + 1} of ${ROUNDS}`);
      const put = (metric: string, value: number): void =>
        sample({ metric, unit: "ms", subject: "fairlead", value });
      await runRound(
        at,
        places.filter((place) => place !== at),
        put,
      );
    }
  },
};
