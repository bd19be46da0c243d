// SPDX-License-Identifier: Apache-2.0
import { createInterface } from "node:readline/promises";
import type { Plan } from "@fairlead/protocol/decision.ts";
import type { HostCleared } from "@fairlead/protocol/node.ts";
import type { NodeStatus, ScopeView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors, doctorErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { followScope, watchScope } from "#cli/follow-scope.ts";
import { formatCount } from "#cli/format.ts";
import { ensureNode } from "#cli/launch-node.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { wrapItems } from "#cli/output.ts";
import { listOwnFiles, removeOwnFiles } from "#cli/own-files.ts";
import { listOwnVolumes, tellKept, type OwnVolume } from "#cli/own-volumes.ts";
import { readReason } from "#cli/send-action.ts";
import { stopNode } from "#cli/stop-node.ts";
import { findSeat, listHere, vacateHost, type FleetSeat } from "#cli/vacate-host.ts";
import { findPlaces, type NodePlaces } from "#config/node-files.ts";

const TIMEOUT_DEFAULT_MS = 120_000;

/** Something that Fairlead made. */
interface Leftover {
  readonly kind: "step" | "file" | "directory" | "process";
  readonly scope: string;
  readonly what: string;
}

function requestDown(context: Context, scope: string, dryRun: boolean): Promise<Plan> {
  return context.api.call<Plan>("DELETE", `scopes/${encodeURIComponent(scope)}`, {
    body: { volumes: context.parsed.has("volumes"), dryRun, ...readReason(context) },
  });
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

/** Where the node that answers keeps its things: what it says itself, since its settings need not be this command's. */
function findNodePlaces(context: Context, status: NodeStatus): NodePlaces {
  return (
    status.places ?? findPlaces(loadNodeSettings(context, { socket: context.socket }).settings)
  );
}

/** Scopes to be removed: with `--volumes` also those that are down and have some still. */
async function listScopes(context: Context, volumes: readonly OwnVolume[]): Promise<string[]> {
  const left = context.parsed.has("volumes") ? volumes.map(({ scope }) => scope) : [];
  return [...new Set([...(await listManaged(context)), ...left])];
}

/** What goes with the scopes that this host has alone. */
async function listSteps(context: Context, volumes: readonly OwnVolume[]): Promise<Leftover[]> {
  const steps: Leftover[] = [];
  for (const scope of await listScopes(context, volumes)) {
    const plan = await requestDown(context, scope, true);
    for (const step of plan.steps)
      steps.push({ kind: "step", scope, what: `${step.act} ${step.object}` });
  }
  return steps;
}

/** Of a fleet's host nothing is removed that others have too. */
async function listMoves(
  context: Context,
  seat: FleetSeat,
  volumes: readonly OwnVolume[],
): Promise<Leftover[]> {
  const { leaving, others } = seat;
  const to = others.join(", ");
  const act = context.parsed.has("force") ? "end" : `move to ${to}:`;
  const data = context.parsed.has("volumes") ? volumes : [];
  return [
    ...(await listHere(context, seat)).map((name) => `${act} ${name}`),
    `leave the fleet ${leaving.fleet}${to === "" ? "" : `; ${to} ${others.length === 1 ? "goes" : "go"} on`}`,
    ...data.map(({ name }) => `volume.remove ${name}`),
  ].map((what): Leftover => ({ kind: "step", scope: "", what }));
}

async function listLeftovers(
  context: Context,
  seat: FleetSeat | undefined,
  { status, volumes }: { readonly status: NodeStatus; readonly volumes: readonly OwnVolume[] },
): Promise<Leftover[]> {
  const leftovers =
    seat === undefined
      ? await listSteps(context, volumes)
      : await listMoves(context, seat, volumes);
  leftovers.push({ kind: "process", scope: "", what: `node with pid ${status.pid}` });
  const { files, directories } = listOwnFiles(context, findNodePlaces(context, status));
  for (const path of files) leftovers.push({ kind: "file", scope: "", what: path });
  for (const path of directories) leftovers.push({ kind: "directory", scope: "", what: path });
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

async function removeScope(context: Context, scope: string, timeoutMs: number): Promise<void> {
  await using watch = watchScope(context, scope);
  await requestDown(context, scope, false);
  const settlement = await followScope(context, watch, { scope, timeoutMs, until: "removed" });
  if (settlement.kind === "removed") return context.out.note(`removed scope ${scope}`);
  throw new FairleadError(cliErrors["not-removed"], `scope ${scope} is still there`, {
    remedy: `fairlead why ${scope}; then run uninstall again`,
  });
}

/** What the node has made in the kernel, and what it has told. */
async function clearHost(context: Context): Promise<void> {
  const call = { query: readReason(context) };
  const { removed } = await context.api.call<HostCleared>("POST", "host/clear", call);
  for (const one of removed) context.out.note(`removed ${one}`);
}

/** `fairlead uninstall` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  const timeoutMs = parsed.waitMs("timeout") ?? TIMEOUT_DEFAULT_MS;
  await ensureNode(context);
  const seat = await findSeat(context);
  const status = await context.api.call<NodeStatus>("GET", "status");
  const volumes = await listOwnVolumes(context, status);
  await out.list(wrapItems("Leftovers", await listLeftovers(context, seat, { status, volumes })), {
    name: (item) => item.what,
    empty: "nothing of Fairlead is here",
    columns: [
      { key: "kind", title: "KIND", value: (item) => item.kind },
      { key: "scope", title: "SCOPE", value: (item) => item.scope },
      { key: "what", title: "WHAT", value: (item) => item.what },
    ],
  });
  if (volumes.length > 0 && !parsed.has("volumes"))
    out.note(
      `stays: ${volumes.map(({ name }) => `volume ${name}`).join(", ")}; -v removes data too`,
    );
  if (parsed.has("dry-run")) return EXIT.ok;
  if (!(await confirm(context))) return EXIT.no;
  if (seat !== undefined) await vacateHost(context, seat, timeoutMs);
  // What this node alone has: of its fleet's scopes what was here still when it left.
  const scopes = await listScopes(context, await listOwnVolumes(context, status));
  for (const scope of scopes) await removeScope(context, scope, timeoutMs);
  const kept = await listOwnVolumes(context, status);
  const rest = await listManaged(context);
  if (rest.length === 0) await clearHost(context);
  await stopNode(context);
  // Listed anew: a node writes until it has ended.
  const { left, kept: others } = removeOwnFiles(
    listOwnFiles(context, findNodePlaces(context, status)),
  );
  if (rest.length + left.length > 0) {
    throw new FairleadError(cliErrors["not-removed"], "something is left", {
      facts: {
        ...(rest.length > 0 ? { scopes: rest.join(", ") } : {}),
        ...(left.length > 0 ? { files: left.join(", ") } : {}),
      },
    });
  }
  for (const path of others) out.note(`kept ${path}: Fairlead did not make it`);
  for (const line of tellKept(kept, status)) out.note(line);
  out.note(
    `proved: 0 scopes, 0 processes, 0 files left; ${formatCount(scopes.length, "scope")} removed`,
  );
  return EXIT.ok;
}
