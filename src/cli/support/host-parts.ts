// SPDX-License-Identifier: Apache-2.0
// What this host says without any node: versions, settings, the engine, the log, and what Fairlead has in the kernel.
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statfsSync,
  openSync,
  closeSync,
  readSync,
  fstatSync,
} from "node:fs";
import { availableParallelism, freemem, loadavg, release, totalmem, uptime } from "node:os";
import { join } from "node:path";
import { FairleadError } from "#base/errors.ts";
import { askEngine } from "#cli/doctor/ask-engine.ts";
import { CHECKS, examine } from "#cli/doctor/examine.ts";
import { runProgram } from "#cli/doctor/run-program.ts";
import { cliErrors } from "#cli/errors.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import { LOG_BYTES } from "./limits.ts";
import type { Ground, Part } from "./part.ts";

const OWN_DEVICE = /^\d+: (fl[vbw][0-9a-f]{6,8})[:@]/gm;
const OWN_TABLE = /^table (\S+ fairlead\S*)$/gm;

function needSettings({ loaded }: Ground) {
  if (loaded !== undefined) return loaded;
  throw new FairleadError(
    cliErrors["part-unreadable"],
    "the settings cannot be read; see doctor.json",
  );
}

function readDistribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "";
  } catch {
    return "unknown";
  }
}

async function readVersions({ context }: Ground): Promise<unknown> {
  const { node, openssl, sqlite } = process.versions;
  return {
    fairlead: context.version,
    node,
    openssl,
    sqlite,
    platform: `${process.platform}/${process.arch}`,
    kernel: release(),
    distribution: readDistribution(),
  };
}

async function readHost({ loaded }: Ground): Promise<unknown> {
  const directory = loaded?.settings.stateDir ?? "/";
  const { bsize, blocks, bavail, files, ffree } = statfsSync(
    existsSync(directory) ? directory : "/",
  );
  return {
    at: new Date().toISOString(),
    uptimeSeconds: Math.round(uptime()),
    cpus: availableParallelism(),
    load: loadavg(),
    memoryBytes: totalmem(),
    freeBytes: freemem(),
    stateDisk: { sizeBytes: bsize * blocks, freeBytes: bsize * bavail, files, freeFiles: ffree },
  };
}

async function readSettings(ground: Ground): Promise<unknown> {
  const { settings, origins, warnings } = needSettings(ground);
  return { settings, origins, warnings };
}

/** Names, modes and sizes; never what is in them. */
async function listFiles(ground: Ground): Promise<string> {
  const { stateDir } = needSettings(ground).settings;
  if (!existsSync(stateDir))
    throw new FairleadError(cliErrors["part-unreadable"], `there is no ${stateDir}`);
  const names = readdirSync(stateDir, { recursive: true, encoding: "utf8" }).sort();
  return names
    .map((name) => {
      const { mode, size, mtime } = lstatSync(join(stateDir, name));
      return `${(mode & 0o7777).toString(8).padStart(4, "0")} ${String(size).padStart(12)} ${mtime.toISOString()} ${name}`;
    })
    .join("\n");
}

function readEnd(path: string): string {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, LOG_BYTES));
    readSync(file, bytes, 0, bytes.length, size - bytes.length);
    const text = bytes.toString("utf8");
    return size > bytes.length ? text.slice(text.indexOf("\n") + 1) : text;
  } finally {
    closeSync(file);
  }
}

/** What a node in the background wrote; of one that a service manager runs, what that kept. */
async function readLog(ground: Ground): Promise<string> {
  const { log } = locateNodeFiles(findPlaces(needSettings(ground).settings));
  try {
    return readEnd(log);
  } catch {
    const args = ["--unit=fairlead", "--lines=5000", "--no-pager", "--output=cat"];
    const { code, output } = await runProgram("journalctl", args);
    if (code === 0 && output !== "") return output;
    throw new FairleadError(cliErrors["part-unreadable"], `there is no ${log}, and no journal`);
  }
}

async function readOutput(program: string, args: readonly string[]): Promise<string> {
  const { code, output } = await runProgram(program, args);
  if (code === 0) return output;
  const said = output === "" ? "it did not end in time" : (output.split("\n")[0] ?? "");
  throw new FairleadError(cliErrors["part-unreadable"], `${program}: ${said}`);
}

/** Fairlead's own tables of this host; those inside of containers are not read. */
async function readTables(): Promise<string> {
  const tables = await readOutput("nft", ["list", "tables"]);
  const own = [...tables.matchAll(OWN_TABLE)].map(([, table = ""]) => table.split(" "));
  const texts = [];
  for (const table of own) texts.push(await readOutput("nft", ["list", "table", ...table]));
  return texts.length === 0 ? "no table of Fairlead's" : texts.join("\n\n");
}

/** Fairlead's own devices with their addresses, neighbours, forwarding entries and routes. */
async function readDevices(): Promise<string> {
  const links = await readOutput("ip", ["-o", "link"]);
  const texts = [];
  for (const [, device = ""] of links.matchAll(OWN_DEVICE))
    texts.push(
      await readOutput("ip", ["-d", "-s", "link", "show", "dev", device]),
      await readOutput("ip", ["addr", "show", "dev", device]),
      await readOutput("ip", ["neigh", "show", "dev", device]),
      await readOutput("bridge", ["fdb", "show", "dev", device]),
      await readOutput("ip", ["route", "show", "dev", device]),
    );
  return texts.length === 0 ? "no device of Fairlead's" : texts.join("\n\n");
}

async function readEngine({ context, loaded }: Ground): Promise<unknown> {
  const answer = await askEngine(loaded?.settings.engine.endpoint ?? "", undefined, context.env);
  if (answer.kind === "answered") return { endpoint: answer.endpoint, ...answer.facts };
  throw answer.because;
}

/** In the order of the bundle. */
export const HOST_PARTS: readonly Part[] = [
  { file: "versions.json", read: readVersions },
  { file: "host.json", read: readHost },
  { file: "settings.json", read: readSettings },
  { file: "doctor.json", read: ({ context }) => examine(context, CHECKS) },
  { file: "engine.json", read: readEngine },
  { file: "state-files.txt", read: listFiles },
  { file: "node.log", read: readLog },
  { file: "nft.txt", read: readTables },
  { file: "ip.txt", read: readDevices },
];
