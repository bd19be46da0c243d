// SPDX-License-Identifier: Apache-2.0
// TCP between two containers on one bridge, of which the called one has no rules, or so many: of Fairlead by nftables and by
// iptables, or of iptables one after the other. Rules let the asker in by the last of them.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Guest } from "#guard/guard.ts";
import { startEngine, type LabEngine } from "#lab/engine.ts";
import { importBusybox } from "#lab/images.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import { ensurePackages, TEST_NEEDS } from "../scripts/setup.ts";
import type { BenchTools } from "./bench.ts";
import {
  measurePath,
  runAt,
  serve,
  waitUntilUp,
  type End,
  type Measured,
  type Path,
} from "./measure-path.ts";
import type { InstallOrder } from "./policy-install.ts";
import { listRules } from "./policy-rules.ts";

const ROUNDS = Number(process.env["FAIRLEAD_BENCH_ROUNDS"] ?? 10);
const COUNTS = (process.env["FAIRLEAD_BENCH_RULES"] ?? "10,1000,10000").split(",").map(Number);
/** More ranges take iptables-restore longer than the driver waits, on a busy machine. */
const IPTABLES_RULES_MAX = 1_000;
const IMAGE = "busybox:lab";
const NETWORK = "traffic";
const INSTALL = fileURLToPath(new URL("./policy-install.ts", import.meta.url));

/** The bridge with both ends. */
interface Ground {
  readonly lab: LabEngine;
  readonly bridge: string;
  readonly path: Path;
  readonly asker: Guest;
  readonly called: Guest;
}

interface Place {
  readonly end: End;
  readonly guest: Guest;
}

function startPlace({ endpoint }: LabEngine, bridge: string, name: string): Place {
  const docker = (...args: string[]): string => runProgram("docker", ["-H", endpoint, ...args]);
  docker("run", "-d", "--name", name, "--network", NETWORK, IMAGE, "sleep", "100000");
  const endpoints = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.MacAddress}}{{end}}";
  const text = docker("inspect", "-f", `{{.Id}} {{.State.Pid}} ${endpoints}`, name);
  const [id = "", pid = "", address = "", mac = ""] = text.trim().split(" ");
  return {
    end: { netns: `/proc/${pid}/ns/net`, address },
    guest: { id, pid: Number(pid), ports: [{ bridge, mac, addresses: [address] }] },
  };
}

async function prepare(lab: LabEngine): Promise<Ground> {
  await importBusybox(lab, IMAGE);
  const id = runProgram("docker", ["-H", lab.endpoint, "network", "create", NETWORK]).trim();
  const bridge = `br-${id.slice(0, 12)}`;
  const [from, to] = [startPlace(lab, bridge, "asker"), startPlace(lab, bridge, "called")];
  const path = { from: from.end, to: to.end };
  return { lab, bridge, path, asker: from.guest, called: to.guest };
}

type Subject = (ground: Ground, rules: number) => void;

/** Rules of Fairlead by a driver, with all that a node puts around them; with 0 there are none. */
const guardBy =
  (driver: InstallOrder["driver"]): Subject =>
  ({ lab, bridge, asker, called }, rules) => {
    const order: InstallOrder = { rules, driver, bridge, asker, called };
    runInNamespace(lab.netns, process.execPath, [INSTALL, JSON.stringify(order)]);
  };
const guardWith = guardBy("nftables");

/** The same in a chain of iptables, where the called is; with 0 there are none. */
function chainWith({ path: { from, to } }: Ground, rules: number): void {
  const lines = listRules(rules - 1).map(
    ({ block, port }) => `-A INPUT -s ${block} -p tcp --dport ${port} -j ACCEPT`,
  );
  const all = rules === 0 ? [] : [...lines, `-A INPUT -s ${from.address} -p tcp -j ACCEPT`];
  const policy = rules === 0 ? "ACCEPT" : "DROP";
  const input = ["*filter", `:INPUT ${policy} [0:0]`, ...all, "COMMIT", ""].join("\n");
  const { status, stderr } = spawnSync("nsenter", [`--net=${to.netns}`, "iptables-restore"], {
    input,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`iptables-restore: ${stderr}`);
}

/** A way to have rules. */
const SUBJECTS: Readonly<Record<string, Subject>> = {
  none: () => undefined,
  fairlead: guardWith,
  // Where nftables is missing.
  "fairlead-iptables": guardBy("iptables"),
  iptables: chainWith,
};

function findMedian(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Of the same round, so that a busy moment is less of a difference. */
function compare(
  rules: number,
  measured: ReadonlyMap<string, Measured>,
  sample: BenchTools["sample"],
): void {
  const none = measured.get("none");
  if (none === undefined) return;
  for (const [subject, { tcpGbitS, repliesUs }] of measured) {
    if (subject === "none") continue;
    const tcp = tcpGbitS / none.tcpGbitS;
    const reply = findMedian(repliesUs) / findMedian(none.repliesUs);
    sample({ metric: `tcp_of_none_rules_${rules}`, unit: "×", subject, value: tcp });
    sample({ metric: `reply_of_none_rules_${rules}`, unit: "×", subject, value: reply });
  }
}

function runRound(ground: Ground, round: number, sample: BenchTools["sample"]): void {
  const subjects = Object.entries(SUBJECTS);
  // Each is first once, since the machine is not alike at all times.
  const turn = round % subjects.length;
  for (const rules of COUNTS) {
    const measured = new Map<string, Measured>();
    for (const [subject, make] of [...subjects.slice(turn), ...subjects.slice(0, turn)]) {
      if (subject === "fairlead-iptables" && rules > IPTABLES_RULES_MAX) continue;
      make(ground, rules);
      const found = measurePath(ground.path);
      make(ground, 0);
      measured.set(subject, found);
      const { tcpGbitS, repliesUs } = found;
      sample({ metric: `tcp_gbit_s_rules_${rules}`, unit: "Gbit/s", subject, value: tcpGbitS });
      for (const us of repliesUs)
        sample({ metric: `request_reply_us_rules_${rules}`, unit: "µs", subject, value: us });
    }
    compare(rules, measured, sample);
  }
}

/** Fairlead's rules beside none, and beside as many of iptables. */
export async function measureTraffic({ say, sample }: BenchTools): Promise<void> {
  ensurePackages([...TEST_NEEDS, { program: "iperf3", package: "iperf3" }]);
  await using lab = await startEngine();
  const ground = await prepare(lab);
  const servers = serve(ground.path);
  try {
    await waitUntilUp(ground.path);
    checkRules(ground);
    for (let round = 0; round < ROUNDS; round++) {
      say(`traffic, round ${round + 1} of ${ROUNDS}`);
      runRound(ground, round, sample);
    }
  } finally {
    for (const server of servers) server.kill("SIGKILL");
  }
}

/** A figure of rules that are not there would be a good one. */
function checkRules(ground: Ground): void {
  const { asker, path } = ground;
  const stranger = { ...asker, ports: [] };
  guardWith({ ...ground, asker: stranger }, 10);
  let passes = true;
  try {
    runAt(path.from, "iperf3", "-c", path.to.address, "-n", "1M", "--connect-timeout", "500");
  } catch {
    passes = false;
  }
  guardWith(ground, 0);
  if (passes) throw new Error("who has no rule was let pass");
}
