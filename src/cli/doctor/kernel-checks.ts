// SPDX-License-Identifier: Apache-2.0
// Kernel features, each tried for real in a network namespace that vanishes with the probe.
import { doctorErrors } from "#cli/errors.ts";
import { type Check, complain, type Evidence, type Finding, pass, skip } from "./check.ts";
import { runProgram } from "./run-program.ts";

interface Probe {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly input?: string;
  /** What does without it. */
  readonly use: string;
}

const link = (name: string, lines: readonly string[], use: string): Probe => ({
  name,
  program: "ip",
  args: ["-batch", "-"],
  input: `${lines.join("\n")}\n`,
  use,
});

const PROBES: readonly Probe[] = [
  {
    name: "nftables",
    program: "nft",
    args: ["add", "table", "inet", "fairlead_probe"],
    use: "policy",
  },
  link("veth", ["link add p0 type veth peer name p1"], "container networks"),
  link("bridge", ["link add p0 type bridge"], "container networks"),
  link("vxlan", ["link add p0 type vxlan id 1 dstport 4789"], "networks across hosts"),
  link(
    "wireguard",
    ["link add p0 type wireguard"],
    "encryption in the kernel; wireguard-go does it through TUN",
  ),
  link("tun", ["tuntap add mode tun name p0"], "wireguard-go"),
  link(
    "macvlan",
    ["link add p0 type veth peer name p1", "link add p2 link p0 type macvlan"],
    "macvlan networks",
  ),
  {
    name: "netem",
    program: "tc",
    args: ["qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"],
    use: "delay in the lab",
  },
];

/** Root makes a namespace at once; others need one of users around it. */
function listUnshareArgs(uid: number): string[] {
  return uid === 0 ? ["--net"] : ["--user", "--map-root-user", "--net"];
}

/** Policies are enforced by iptables then, where all of that is there. */
async function judgeWithoutNft(namespace: readonly string[]): Promise<Finding> {
  const programs = ["iptables-save", "ip6tables-save", "ebtables-save"];
  const ends = await Promise.all(
    programs.map((one) => runProgram("unshare", [...namespace, "--", one])),
  );
  return ends.every(({ code }) => code === 0)
    ? complain("warn", doctorErrors["policy-by-iptables"], "nftables: not installed, iptables is")
    : complain("warn", doctorErrors["no-policy"], "nftables: nft is not installed");
}

async function probe(
  { args, input, name, program, use }: Probe,
  { uid }: Evidence,
): Promise<Finding> {
  const namespace = listUnshareArgs(uid);
  const { code, output } = await runProgram(
    "unshare",
    [...namespace, "--", program, ...args],
    input,
  );
  if (code === 0) return pass(name);
  if (code === undefined) return skip(`${name}: unshare is not installed`);
  if (/unshare: (unshare failed|write failed)/.test(output))
    return skip(`${name}: this user may not make a network namespace`);
  if (
    /unshare: failed to execute|No such file or directory$/.test(output) &&
    output.startsWith("unshare:")
  )
    return program === "nft"
      ? judgeWithoutNft(namespace)
      : skip(`${name}: ${program} is not installed`);
  const [first = ""] = output.split("\n");
  const facts = [
    `tried ${program} ${input === undefined ? args.join(" ") : input.trim().split("\n").at(-1)}: ${first}`,
    `used for ${use}`,
  ];
  return complain("missing", doctorErrors["kernel-feature-missing"], `${name} missing`, facts);
}

/** Tests of the kernel. A feature that is missing is said, not a failure. */
export const KERNEL_CHECKS: readonly Check[] = PROBES.map((one) => ({
  group: "kernel",
  name: one.name,
  run: (evidence) => probe(one, evidence),
}));
