// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { doctorErrors } from "#cli/errors.ts";
import { type Check, complain, type Evidence, type Finding, pass, skip } from "./check.ts";
import { findPortHolder } from "./port-holder.ts";
import { runProgram } from "./run-program.ts";

function readSwitch(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

function checkBridgeNetfilter(): Finding {
  const value = readSwitch("/proc/sys/net/bridge/bridge-nf-call-iptables");
  if (value === undefined) return pass("bridge netfilter not loaded");
  return pass(`bridge netfilter ${value === "1" ? "on" : "off"}`);
}

function checkForwarding(): Finding {
  const value = readSwitch("/proc/sys/net/ipv4/ip_forward");
  if (value === undefined) return skip("forwarding: /proc/sys is not readable");
  return value === "1"
    ? pass("forwarding on")
    : complain("warn", doctorErrors["forwarding-off"], "forwarding is off");
}

async function countRules(program: string): Promise<number> {
  const { code, output } = await runProgram(program, []);
  return code === 0 ? output.split("\n").filter((line) => line.startsWith("-A")).length : 0;
}

async function checkFirewall(): Promise<Finding> {
  const { code, output } = await runProgram("iptables", ["--version"]);
  if (code !== 0) {
    const nft = await runProgram("nft", ["--version"]);
    return nft.code === 0
      ? pass(`firewall ${nft.output.split(" ").slice(0, 2).join(" ")}, no iptables`)
      : skip("firewall: neither iptables nor nft is installed");
  }
  const backend = /\((\w+)\)/.exec(output)?.[1] ?? "legacy";
  const [legacy, modern] = await Promise.all([
    countRules("iptables-legacy-save"),
    countRules("iptables-nft-save"),
  ]);
  if (legacy > 0 && modern > 0) {
    const facts = [
      `iptables-legacy has ${legacy} rules, iptables-nft ${modern}; iptables is ${backend}`,
    ];
    return complain(
      "warn",
      doctorErrors["firewall-mixed"],
      "two firewall backends hold rules",
      facts,
    );
  }
  return pass(`iptables (${backend})`);
}

/** Resolves to the error of listening, or undefined when it worked; nothing stays open. */
function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (thrown) => resolve(thrown.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

async function checkPort({ listen, node }: Evidence): Promise<Finding> {
  if (listen === "off") return pass("no port wanted");
  if (node?.page !== undefined && node.page.endsWith(listen.slice(listen.lastIndexOf(":"))))
    return pass(`page at ${node.page}`);
  const at = listen.lastIndexOf(":");
  const port = Number(listen.slice(at + 1));
  const problem = await tryListen(listen.slice(0, at).replace(/^\[|\]$/g, ""), port);
  if (problem === undefined) return pass(`port ${port} free`);
  const holder = findPortHolder(port);
  const facts = [problem, ...(holder === undefined ? [] : [`held by ${holder}`])];
  return complain("fail", doctorErrors["port-taken"], `cannot listen on ${listen}`, facts);
}

function checkSocket({ node, socket }: Evidence): Finding {
  if (node !== undefined) return pass(`socket ${socket}`);
  if (!existsSync(socket)) return pass(`socket ${socket} free`);
  return complain("warn", doctorErrors["socket-stale"], "a socket without a node", [socket]);
}

/** Tests of ports, forwarding and the firewall. */
export const NET_CHECKS: readonly Check[] = [
  { group: "net", name: "bridge-netfilter", run: checkBridgeNetfilter },
  { group: "net", name: "forwarding", run: checkForwarding },
  { group: "net", name: "firewall", run: checkFirewall },
  { group: "net", name: "port", run: checkPort },
  { group: "net", name: "socket", run: checkSocket },
];
