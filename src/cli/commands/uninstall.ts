// SPDX-License-Identifier: Apache-2.0
import { existsSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import type { Plan } from "@fairlead/protocol/decision.ts";
import type { NodeStatus, ScopeView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import { defaultRuntimeDir } from "#config/default-paths.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors, doctorErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { followScope, watchScope } from "#cli/follow-scope.ts";
import { formatCount } from "#cli/format.ts";
import { ensureNode } from "#cli/launch-node.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { wrapItems } from "#cli/output.ts";
import { readReason } from "#cli/send-action.ts";
import { stopNode } from "#cli/stop-node.ts";

const TIMEOUT_DEFAULT_MS = 120_000;

/** Something that Fairlead made. */
interface Leftover {
  readonly kind: "step" | "file" | "process";
  readonly scope: string;
  readonly what: string;
}

function requestDown(context: Context, scope: string, dryRun: boolean): Promise<Plan> {
  return context.api.call<Plan>("DELETE", `scopes/${encodeURIComponent(scope)}`, {
    body: { volumes: context.parsed.has("volumes"), dryRun, ...readReason(context) },
  });
}

/** Files of this user's nodes that exist. */
function listFiles(context: Context): string[] {
  const { settings } = loadNodeSettings(context, { socket: context.socket });
  const cache = `${context.env["XDG_CACHE_HOME"] ?? `${context.env["HOME"] ?? "/nonexistent"}/.cache`}/fairlead`;
  const stateFiles = ["store", "token", "node.log"].map((name) => join(settings.stateDir, name));
  return [...stateFiles, settings.stateDir, settings.socket, cache].filter((path) =>
    existsSync(path),
  );
}

async function listManaged(context: Context): Promise<readonly string[]> {
  const scopes = await context.api.list<ScopeView>("scopes");
  if (scopes.partial) {
    throw new FairleadError(
      doctorErrors["engine-silent"],
      "the engine does not answer, so what is to be removed is not known",
      {
        facts: { missing: scopes.missing.join(", ") },
        remedy: "start the engine, then run `fairlead uninstall` again",
      },
    );
  }
  return scopes.items.filter((scope) => scope.mode === "manage").map((scope) => scope.scope);
}

async function listLeftovers(context: Context, managed: readonly string[]): Promise<Leftover[]> {
  const leftovers: Leftover[] = [];
  for (const scope of managed) {
    const plan = await requestDown(context, scope, true);
    for (const step of plan.steps)
      leftovers.push({ kind: "step", scope, what: `${step.act} ${step.object}` });
  }
  const { pid } = await context.api.call<NodeStatus>("GET", "status");
  leftovers.push({ kind: "process", scope: "", what: `node with pid ${pid}` });
  for (const path of listFiles(context)) leftovers.push({ kind: "file", scope: "", what: path });
  return leftovers;
}

async function confirm(context: Context): Promise<boolean> {
  if (context.parsed.has("yes")) return true;
  if (!context.stdinIsTty) {
    throw new FairleadError(
      cliErrors["missing-argument"],
      "nobody is there to ask; --yes removes without asking",
      {
        remedy: "fairlead uninstall --yes, or --dry-run to see what would go",
      },
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test(
      await terminal.question("Remove all of this? [y/N] ", { signal: context.signal }),
    );
  } finally {
    terminal.close();
  }
}

async function removeScope(context: Context, scope: string): Promise<void> {
  const timeoutMs = context.parsed.waitMs("timeout") ?? TIMEOUT_DEFAULT_MS;
  await using watch = watchScope(context, scope);
  await requestDown(context, scope, false);
  const settlement = await followScope(context, watch, { scope, timeoutMs, until: "removed" });
  if (settlement.kind === "removed") return context.out.note(`removed scope ${scope}`);
  throw new FairleadError(cliErrors["not-removed"], `scope ${scope} is still there`, {
    remedy: `fairlead why ${scope}; then run uninstall again`,
  });
}

/** Removes the files that are Fairlead's; a directory that someone put more into stays, and the proof names it. */
function removeFiles(context: Context): void {
  const { settings } = loadNodeSettings(context, { socket: context.socket });
  for (const path of listFiles(context)) {
    if (path !== settings.stateDir) rmSync(path, { recursive: true, force: true });
  }
  const runtimeDir = dirname(settings.socket);
  if (runtimeDir === defaultRuntimeDir(context)) removeEmpty(runtimeDir);
  removeEmpty(settings.stateDir);
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Not empty, or gone already: what is left is listed by the proof.
  }
}

/** `fairlead uninstall` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  await ensureNode(context);
  const managed = await listManaged(context);
  await out.list(wrapItems("Leftovers", await listLeftovers(context, managed)), {
    name: (item) => item.what,
    empty: "nothing of Fairlead is here",
    columns: [
      { key: "kind", title: "KIND", value: (item) => item.kind },
      { key: "scope", title: "SCOPE", value: (item) => item.scope },
      { key: "what", title: "WHAT", value: (item) => item.what },
    ],
  });
  if (parsed.has("dry-run")) return EXIT.ok;
  if (!(await confirm(context))) return EXIT.no;
  for (const scope of managed) await removeScope(context, scope);
  const rest = await listManaged(context);
  await stopNode(context);
  removeFiles(context);
  const files = listFiles(context);
  if (rest.length + files.length > 0) {
    throw new FairleadError(cliErrors["not-removed"], "something is left", {
      facts: { scopes: rest.join(", "), files: files.join(", ") },
    });
  }
  out.note(
    `proved: 0 scopes, 0 processes, 0 files left; ${formatCount(managed.length, "scope")} removed`,
  );
  return EXIT.ok;
}
