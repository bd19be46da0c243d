// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { runProgram } from "#cli/doctor/run-program.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { formatCount } from "#cli/format.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { FORMS } from "#cli/output.ts";
import { collect } from "#cli/support/collect.ts";
import { createHostMask } from "#cli/support/hide-secrets.ts";
import { HOST_PARTS } from "#cli/support/host-parts.ts";
import { NODE_PARTS } from "#cli/support/node-parts.ts";
import type { Collected } from "#cli/support/part.ts";
import type { LoadedSettings } from "#config/load-settings.ts";

const DECISIONS = 500;
const DECISIONS_MAX = 1_000;
const LEFT_OUT = [
  "values of variables, labels that are not Fairlead's, commands, health checks, and files of services",
  "what your programs wrote: their logs, and the last lines of them in decisions",
  "tokens, passwords and keys of this host and of its registries, wherever they stood",
  "what is in the store and in kept messages",
];

function tryLoad(context: Context): LoadedSettings | undefined {
  try {
    return loadNodeSettings(context, {});
  } catch {
    return undefined;
  }
}

/** Where the bundle goes. Throws for a file that is there, and for a word that would be a form of answers elsewhere. */
function chooseFile({ parsed, cwd }: Context): string {
  const named = parsed.text("output");
  if (named !== undefined && FORMS.some((form) => form === named))
    throw new FairleadError(
      cliErrors["bad-value"],
      `-o names the file here, and ${named} is none`,
      {
        facts: { "the file": named },
        remedy: `-o ./${named} for a file of that name; what is in a bundle is JSON and text`,
      },
    );
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const file = resolve(cwd, named ?? `fairlead-support-${hostname()}-${stamp}.tar.gz`);
  if (!existsSync(file)) return file;
  throw new FairleadError(cliErrors["unwritable-file"], `${file} is there already`);
}

function describe(collected: readonly Collected[], context: Context): string {
  const lines = collected.map(
    ({ file, sizeBytes, tookMs, problem, missing = [], cutBytes = 0 }) =>
      `  ${file.padEnd(18)} ${problem === undefined ? `${sizeBytes} bytes, ${tookMs} ms` : `NOT THERE: ${problem}`}` +
      `${missing.length === 0 ? "" : `; without ${missing.join(", ")}`}` +
      `${cutBytes === 0 ? "" : `; ${cutBytes} bytes were cut off`}`,
  );
  return [
    `Support bundle of ${hostname()}, fairlead ${context.version}, ${new Date().toISOString()}`,
    "",
    "Files:",
    ...lines,
    "",
    "Left out:",
    ...LEFT_OUT.map((text) => `  ${text}`),
    "",
    "Names of scopes, services, images, hosts, users and their addresses are in it. Look before you send it.",
    "",
  ].join("\n");
}

/** Makes the file, readable by its owner only. Throws FL0629 where that cannot be. */
function claim(file: string): void {
  try {
    writeFileSync(file, "", { mode: 0o600, flag: "wx" });
  } catch (cause) {
    const because = cause instanceof Error ? cause.message : String(cause);
    throw new FairleadError(cliErrors["unwritable-file"], `${file} cannot be made`, {
      cause,
      facts: { because },
    });
  }
}

async function pack(directory: string, name: string, file: string): Promise<void> {
  const args = ["--create", "--gzip", `--file=${file}`, "--owner=0", "--group=0", name];
  const { code, output } = await runProgram("tar", [`--directory=${directory}`, ...args]);
  if (code === 0) return;
  throw new FairleadError(cliErrors["unwritable-file"], `${file} could not be written`, {
    facts: { tar: output === "" ? "did not end in time" : output },
  });
}

/** What could not be had, each reason once with the files that lack for it. */
function listTroubles(collected: readonly Collected[]): readonly string[] {
  const silent = [...new Set(collected.flatMap(({ missing = [] }) => missing))];
  const byProblem = Map.groupBy(
    collected.filter(({ problem }) => problem !== undefined),
    ({ problem = "" }) => problem,
  );
  return [
    ...[...byProblem].map(
      ([problem, files]) => `without ${files.map(({ file }) => file).join(", ")}: ${problem}`,
    ),
    ...(silent.length === 0 ? [] : [`no answer from ${silent.join(", ")}`]),
  ];
}

function tell({ out }: Context, file: string, collected: readonly Collected[]): void {
  const there = collected.filter(({ problem }) => problem === undefined);
  const { noteStyle: style } = out;
  for (const text of listTroubles(collected)) out.note(`${style.mark("warn")} ${text}`);
  const sizeKib = Math.ceil(statSync(file).size / 1_024);
  out.note(`${there.length} of ${formatCount(collected.length, "file")}, ${sizeKib} KiB packed`);
  out.note("left out:");
  for (const text of LEFT_OUT) out.note(`  ${text}`);
  out.note("README.txt in it says what is there; look before you send it");
}

/** `fairlead support [-o FILE]`: prints the file's path. Works without a node and without an engine. */
export async function run(context: Context): Promise<number> {
  const file = chooseFile(context);
  const loaded = tryLoad(context);
  claim(file);
  const home = mkdtempSync(join(tmpdir(), "fairlead-support-"));
  try {
    const name = "fairlead-support";
    const directory = join(home, name);
    mkdirSync(directory, { mode: 0o700 });
    const mask = createHostMask(context, loaded?.settings);
    const decisions = Math.min(context.parsed.count("decisions") ?? DECISIONS, DECISIONS_MAX);
    const ground = { context, loaded, decisions, signal: context.signal };
    const collected = await collect([...HOST_PARTS, ...NODE_PARTS], ground, { directory, mask });
    writeFileSync(join(directory, "README.txt"), describe(collected, context), { mode: 0o600 });
    await pack(home, name, file);
    tell(context, file, collected);
    context.out.line(file);
  } catch (thrown) {
    rmSync(file, { force: true });
    throw thrown;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  return EXIT.ok;
}
