// SPDX-License-Identifier: Apache-2.0
// `npm run lab -- up 3 | down [TAG] | ls | clean`: hosts for people to play with.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ENGINE_NEEDS, ensurePackages } from "../scripts/setup.ts";
import { startHosts } from "./hosts.ts";
import { importBusybox } from "./images.ts";
import { findLabDirectory, listLabs, openLedger, signalOwner, sweepLab } from "./ledger.ts";

const USAGE = `usage: npm run lab -- COMMAND

  up [N]      start N hosts (1), with busybox:lab in each; they stay until \`down\`
  ls          the labs that are there, their hosts and sockets
  down [TAG]  end that lab, or every one started by \`up\`
  clean       remove what labs left whose owner was killed
`;

/** What `up` leaves for `ls`: one line a host. */
const HOSTS_FILE = "hosts";
const START_MAX_MS = 120_000;
const POLL_MS = 50;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** The process behind `up`: it owns the hosts and ends with them. */
async function keep(count: number): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
      process.on(signal, () => resolve());
  });
  const ledger = openLedger();
  await using lab = await startHosts(count, { ledger });
  for (const host of lab.hosts) await importBusybox(host);
  const lines = lab.hosts.map((host) => `${host.name}  ${host.ip}  DOCKER_HOST=${host.endpoint}`);
  const unnamed = join(ledger.directory, `.${HOSTS_FILE}`);
  writeFileSync(unnamed, `${lines.join("\n")}\n`);
  renameSync(unnamed, join(ledger.directory, HOSTS_FILE));
  const forEver = setInterval(() => undefined, 1 << 30);
  await ended;
  clearInterval(forEver);
}

function readHosts(tag: string): string | undefined {
  const path = join(findLabDirectory(tag), HOSTS_FILE);
  return existsSync(path) ? readFileSync(path, "utf8").trimEnd() : undefined;
}

async function up(count: number): Promise<number> {
  ensurePackages(ENGINE_NEEDS);
  const keeper = spawn(process.execPath, [fileURLToPath(import.meta.url), "keep", String(count)], {
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  keeper.stderr.pipe(process.stderr);
  const giveUp = performance.now() + START_MAX_MS;
  while (performance.now() < giveUp && keeper.exitCode === null) {
    const lab = listLabs().find(({ pid }) => pid === keeper.pid);
    const hosts = lab === undefined ? undefined : readHosts(lab.tag);
    if (lab !== undefined && hosts !== undefined) {
      say(`lab ${lab.tag}\n${hosts}`);
      // Whoever waits for the end of this output must not wait for the lab.
      keeper.stderr.destroy();
      keeper.unref();
      return 0;
    }
    await sleep(POLL_MS);
  }
  keeper.kill("SIGTERM");
  return 1;
}

function list(): number {
  const labs = listLabs();
  for (const { tag, pid, alive } of labs) {
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
  for (const lab of labs) {
    while (signalOwner(lab.tag, "SIGTERM")) await sleep(POLL_MS);
    say(`removed ${lab.tag}`);
  }
  sweepLab();
  return 0;
}

async function main(): Promise<number> {
  const [command, argument] = process.argv.slice(2);
  const count = Number(argument ?? 1);
  if (command === "up" && Number.isInteger(count) && count > 0) return up(count);
  if (command === "ls") return list();
  if (command === "down") return down(argument);
  if (command === "clean") {
    for (const tag of sweepLab()) say(`removed ${tag}`);
    return 0;
  }
  if (command === "keep") return keep(count).then(() => 0);
  process.stderr.write(USAGE);
  return 2;
}

process.exitCode = await main();
