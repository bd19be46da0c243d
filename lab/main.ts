// SPDX-License-Identifier: Apache-2.0
// `npm run lab -- up [--bare] 3 | down [TAG] | ls | clean`: hosts for people to play with.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { asksForHelp, describeUnknown, refuseWords, tellUsage } from "../scripts/run-script.ts";
import { ENGINE_NEEDS, ensurePackages, FLEET_NEEDS } from "../scripts/setup.ts";
import { startFleet } from "./fleet.ts";
import type { HostNode } from "./host-node.ts";
import { startHosts, type LabHost } from "./hosts.ts";
import { importBusybox } from "./images.ts";
import { findLabDirectory, listLabs, signalOwner, sweepLab } from "./ledger.ts";
import { findTold, readHosts, tellHosts } from "./told-hosts.ts";

const USAGE = `usage: npm run lab -- COMMAND

  up [N]         start N hosts (3) as a fleet, with busybox:lab in each; they stay until \`down\`
  up --bare [N]  start N hosts (1) that have an engine and no node
  ls             the labs that are there, their hosts and sockets
  down [TAG]     end that lab, or the only one that \`up\` started
  clean          remove what labs left whose owner was killed
`;

const COMMANDS = ["up", "ls", "down", "clean"];
/** Each has an engine. */
const HOSTS_MAX = 9;
const NEXT = `next      h1's \`fairlead nodes\`, then \`fairlead up -f examples/fleet/compose.yaml\`; end it with npm run lab -- down`;
const START_MAX_MS = 300_000;
const POLL_MS = 50;

const SELF = fileURLToPath(import.meta.url);
const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** Engines alone, or a node on each. */
type Kind = "bare" | "fleet";
const DEFAULT_COUNT: Readonly<Record<Kind, number>> = { bare: 1, fleet: 3 };

/** What is told of a lab. */
interface LabText {
  readonly tag: string;
  readonly lines: readonly string[];
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Engines alone. */
async function openBare(count: number, stack: AsyncDisposableStack): Promise<LabText> {
  const { tag, hosts } = stack.use(await startHosts(count));
  for (const host of hosts) await importBusybox(host);
  return { tag, lines: hosts.map(describeHost) };
}

function describeHost({ name, ip, endpoint }: LabHost): string {
  return `${name}  ${ip}  docker    docker -H ${endpoint}`;
}

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** A program that is the CLI of one host, in its network and with its settings, whatever the environment says. */
function writeCli({ settings, host }: HostNode, directory: string): string {
  const home = join(directory, host.name);
  const path = join(home, "fairlead");
  // What commands remember of a user is the host's too.
  const own = {
    ...settings,
    XDG_CACHE_HOME: join(home, "cache"),
    XDG_STATE_HOME: join(home, "home"),
  };
  const variables = Object.entries(own).map(([name, value]) => `export ${name}=${quote(value)}`);
  const inside = ["nsenter", `--net=/run/netns/${host.netns}`, process.execPath, MAIN];
  const lines = ["#!/bin/sh", ...variables, `exec ${inside.map(quote).join(" ")} "$@"`];
  writeFileSync(path, `${lines.join("\n")}\n`, { mode: 0o755 });
  return path;
}

/** A node on each host, and how to call its commands. */
async function openFleet(count: number, stack: AsyncDisposableStack): Promise<LabText> {
  const { lab, nodes } = stack.use(await startFleet({ hosts: count, haveFiles: true }));
  const directory = findLabDirectory(lab.tag);
  const lines = nodes.flatMap((node) => [
    `${node.host.name}  ${node.host.ip}  fairlead  ${writeCli(node, directory)}`,
    describeHost(node.host)
      .replace(node.host.name, " ".repeat(node.host.name.length))
      .replace(node.host.ip, " ".repeat(node.host.ip.length)),
  ]);
  return { tag: lab.tag, lines };
}

/** The process behind `up`: it owns the hosts and ends with them. */
async function keep(count: number, open: typeof openBare): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
      process.on(signal, () => resolve());
  });
  await using stack = new AsyncDisposableStack();
  const { tag, lines } = await open(count, stack);
  tellHosts(tag, lines);
  const forEver = setInterval(() => undefined, 1 << 30);
  await ended;
  clearInterval(forEver);
}

async function up(kind: Kind, count: number): Promise<number> {
  ensurePackages(kind === "bare" ? ENGINE_NEEDS : FLEET_NEEDS);
  const keeper = spawn(process.execPath, [SELF, "keep", kind, String(count)], {
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  keeper.stderr.pipe(process.stderr);
  const giveUp = performance.now() + START_MAX_MS;
  while (performance.now() < giveUp && keeper.exitCode === null) {
    const told = findTold(keeper.pid);
    if (told !== undefined) {
      say(`lab ${told.tag}\n${told.hosts}`);
      if (kind === "fleet") say(NEXT);
      // Whoever waits for the end of this output must not wait for the lab.
      keeper.stderr.destroy();
      keeper.unref();
      return 0;
    }
    await sleep(POLL_MS);
  }
  if (keeper.exitCode === null)
    process.stderr.write(`error: no lab after ${START_MAX_MS / 1_000} s; it is given up\n`);
  keeper.kill("SIGTERM");
  return 1;
}

function list(): number {
  const labs = listLabs();
  const named = new Set(
    labs.filter(({ tag }) => readHosts(tag) !== undefined).map(({ pid }) => pid),
  );
  for (const { tag, pid, alive } of labs) {
    // Its etcd, which has a ledger of its own.
    if (alive && named.has(pid) && readHosts(tag) === undefined) continue;
    say(`lab ${tag}  ${alive ? `of process ${pid}` : "left over: npm run lab -- clean"}`);
    const hosts = readHosts(tag);
    if (hosts !== undefined) say(hosts);
  }
  if (labs.length === 0) say("no lab is there; npm run lab -- up 3 starts one");
  return 0;
}

/** Ends labs that `up` started; those of running tests are not touched unless named. */
async function down(tag: string | undefined): Promise<number> {
  const labs = listLabs().filter((lab) =>
    tag === undefined ? readHosts(lab.tag) !== undefined : lab.tag === tag,
  );
  if (tag !== undefined && labs.length === 0) {
    process.stderr.write(`error: no lab is called ${tag}\n  do        npm run lab -- ls\n`);
    return 1;
  }
  // Who shares the machine may have another.
  if (tag === undefined && labs.length > 1) {
    const tags = labs.map((lab) => lab.tag).join(", ");
    process.stderr.write(
      `error: several labs are there: ${tags}\n  do        npm run lab -- down TAG\n`,
    );
    return 1;
  }
  for (const lab of labs) {
    while (signalOwner(lab.tag, "SIGTERM")) await sleep(POLL_MS);
    say(`removed ${lab.tag}`);
  }
  if (labs.length === 0) say("no lab that `up` started is there");
  sweepLab();
  return 0;
}

/** How many hosts are asked for; a text is what is wrong with the words. */
function readUp(words: readonly string[]): { kind: Kind; count: number } | string {
  const unknown = words.find((word) => word.startsWith("-") && word !== "--bare");
  if (unknown !== undefined) return `up does not know ${unknown}`;
  const kind: Kind = words.includes("--bare") ? "bare" : "fleet";
  const [text = String(DEFAULT_COUNT[kind]), more] = words.filter((word) => word !== "--bare");
  const count = Number(text);
  if (more !== undefined) return `${more} is one word too many`;
  if (Number.isInteger(count) && count >= 1 && count <= HOSTS_MAX) return { kind, count };
  return `up takes a number of hosts, 1 to ${HOSTS_MAX}, not ${text}`;
}

async function main(): Promise<number> {
  const [command = "", ...words] = process.argv.slice(2);
  const [argument] = words;
  if (command === "" || asksForHelp([command, ...words])) return tellUsage(USAGE);
  if (command === "up") {
    const asked = readUp(words);
    return typeof asked === "string" ? refuseWords(asked, USAGE) : up(asked.kind, asked.count);
  }
  if (command === "ls") return list();
  if (command === "down") return down(argument);
  if (command === "clean") {
    const swept = sweepLab();
    for (const tag of swept) say(`removed ${tag}`);
    if (swept.length === 0) say("nothing was left over");
    return 0;
  }
  if (command === "keep") {
    await keep(Number(words[1]), argument === "bare" ? openBare : openFleet);
    return 0;
  }
  return refuseWords(describeUnknown("command", command, COMMANDS), USAGE);
}

process.exitCode = await main();
