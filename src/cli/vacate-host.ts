// SPDX-License-Identifier: Apache-2.0
// Takes this host out of its fleet before it is cleared: what runs here comes up on others first, then the node leaves. What
// is removed afterwards is this host's alone.
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { formatCount } from "./format.ts";
import { prepareLeaving, tryToTell, type Leaving } from "./leave-fleet.ts";
import { loadNodeSettings } from "./load-node-settings.ts";
import { reloadNode } from "./reload-node.ts";
import { readReason } from "./send-action.ts";
import { refuseFixed } from "./settings-edit.ts";
import { vacateErrors } from "./vacate-errors.ts";

/** This host as one of a fleet. */
export interface FleetSeat {
  /** Name of its node. */
  readonly self: string;
  readonly leaving: Leaving;
  /** Names of the other nodes that live. */
  readonly others: readonly string[];
}

const LOOK_MS = 250;
const ENGINE_MS = 30_000;

/**
 * Undefined for a node by itself. Throws FL0624 and FL0633 when the settings that name the fleet are not this command's to
 * change, and FL0631 when no other node lives, unless forced.
 */
export async function findSeat(context: Context): Promise<FleetSeat | undefined> {
  const { items } = await context.api.list<NodeView>("nodes");
  const own = items.find((node) => node.self);
  if (own?.address === undefined) return undefined;
  const loaded = loadNodeSettings(context, {});
  refuseFixed(loaded, ["fleet.name"]);
  const leaving = prepareLeaving(context);
  if (leaving === undefined || leaving.staysNamed)
    throw describeElsewhere(own.name, loaded.file, leaving);
  const others = items.filter(({ self, state }) => !self && state === "alive");
  if (others.length === 0 && !context.parsed.has("force"))
    throw new FairleadError(
      vacateErrors["last-node"],
      `${own.name} is the last node of ${leaving.fleet} that lives`,
      { facts: { others: items.length === 1 ? "none" : describeOthers(items) } },
    );
  return { self: own.name, leaving, others: others.map(({ name }) => name) };
}

/** FL0633: it is not for this command to say that the node belongs to no fleet. */
export function describeElsewhere(
  node: string,
  file: string | undefined,
  leaving: Leaving | undefined,
): FairleadError {
  return new FairleadError(vacateErrors["fleet-elsewhere"], `${node} belongs to a fleet`, {
    facts: {
      "settings here": file ?? "no file",
      "say of it": leaving === undefined ? "nothing" : `fleet.name: ${leaving.fleet}, by hand`,
    },
  });
}

function describeOthers(items: readonly NodeView[]): string {
  return items.flatMap(({ self, name, state }) => (self ? [] : [`${name} is ${state}`])).join(", ");
}

/** Names of the instances that this host has. */
export async function listHere(
  context: Context,
  { self }: Pick<FleetSeat, "self">,
): Promise<readonly string[]> {
  const { items } = await context.api.list<ScopeView>("scopes");
  return items
    .filter(({ mode }) => mode === "manage")
    .flatMap(({ services }) => services.flatMap(({ instances }) => instances))
    .flatMap(({ node, name }) => (node === self ? [name] : []));
}

/** Waits until others have what this host had. Throws FL0632. */
async function drain(context: Context, seat: FleetSeat, timeoutMs: number): Promise<void> {
  const { api, out, signal } = context;
  const had = await listHere(context, seat);
  if (had.length === 0) return;
  const action = { action: "drain", ...readReason(context) };
  await api.call("POST", `nodes/${encodeURIComponent(seat.self)}/actions`, { body: action });
  const giveUpMs = performance.now() + timeoutMs;
  for (let here = had; here.length > 0; here = await listHere(context, seat)) {
    if (performance.now() > giveUpMs)
      throw new FairleadError(
        vacateErrors["not-vacated"],
        `${formatCount(here.length, "instance")} still on ${seat.self}`,
        {
          facts: { instances: here.join(", "), "other nodes": seat.others.join(", ") },
        },
      );
    await sleep(LOOK_MS, undefined, { signal });
  }
  out.note(`${had.join(", ")}: on ${seat.others.join(", ")} now`);
}

/** A node that has just started has not read its engine yet; for one that does not answer nobody waits for ever. */
async function awaitEngine({ api, signal }: Context): Promise<void> {
  const giveUpMs = performance.now() + ENGINE_MS;
  while ((await api.list("scopes")).partial && performance.now() < giveUpMs)
    await sleep(LOOK_MS, undefined, { signal });
}

/** The node is by itself once this resolves; with `--force` nothing is waited for. */
export async function vacateHost(
  context: Context,
  seat: FleetSeat,
  timeoutMs: number,
): Promise<void> {
  const { leaving } = seat;
  if (context.parsed.has("force")) await tryToTell(context, leaving);
  else {
    await drain(context, seat, timeoutMs);
    await leaving.tell();
  }
  leaving.putBack();
  await reloadNode(context, { start: true });
  await awaitEngine(context);
  context.out.note(`left the fleet ${leaving.fleet}`);
}
