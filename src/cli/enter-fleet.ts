// SPDX-License-Identifier: Apache-2.0
// What `join` and `fleet create` have in common: find what would go wrong, write the settings, let the node take part.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import type { SettingChanges } from "#config/edit-settings.ts";
import type { LoadedSettings } from "#config/load-settings.ts";
import { findPlaces, locateNodeFiles, makeNodeDirectories } from "#config/node-files.ts";
import { parseStoreEndpoints, type SharedStoreKind } from "#config/store-endpoints.ts";
import type { Context, FleetEntered } from "./context.ts";
import { cliErrors } from "./errors.ts";
import { loadNodeSettings } from "./load-node-settings.ts";
import { reloadNode } from "./reload-node.ts";
import { prepareEdit } from "./settings-edit.ts";

/** Which fleet, where its store is, and what shows that this host may join; without it the fleet is begun. */
export interface FleetEntry {
  readonly fleet: string;
  readonly endpoints: readonly string[];
  /** PEM of who vouches for the store. */
  readonly ca?: string | undefined;
  readonly proof?: { readonly id: string; readonly secret: string };
}

const LOOK_MS = 100;
const PATIENCE_MS = 20_000;
/** Flags that name settings of the store. */
const STORE_FLAGS = {
  "cert-file": "store.certFile",
  "key-file": "store.keyFile",
  user: "store.user",
  "password-file": "store.passwordFile",
} as const;

function refuseSecondFleet({ settings, origins }: LoadedSettings): void {
  if (settings.fleet.name === "") return;
  throw new FairleadError(cliErrors["in-fleet"], `this node belongs to ${settings.fleet.name}`, {
    facts: { "set by": origins["fleet.name"] ?? "" },
  });
}

/** Addresses, each with the kind of store that is there. */
function listPlaces(text: string, kind?: SharedStoreKind): ReadonlySet<string> {
  const place = parseStoreEndpoints(text, kind);
  return new Set(place?.endpoints.map((endpoint) => `${place.kind}://${endpoint}`));
}

/** The node's own state may be in one store of several nodes only, and that is the one that the settings name. */
function refuseOtherStore(context: Context, loaded: LoadedSettings, entry: FleetEntry): void {
  const { store, nodeName } = loaded.settings;
  if (store.kind === "sqlite") return;
  const name = context.parsed.text("name") ?? nodeName;
  if (name !== nodeName && store.prefix === "")
    throw new FairleadError(cliErrors["store-in-use"], "this node's state is kept under its name", {
      facts: { name: nodeName },
      remedy: `say store.prefix: /fairlead/${nodeName}/ in the settings first, so that it is found under another name`,
    });
  const own = listPlaces(store.endpoints, store.kind);
  const wanted = listPlaces(entry.endpoints.join(","));
  if (own.isSubsetOf(wanted) || wanted.isSubsetOf(own)) return;
  throw new FairleadError(cliErrors["store-in-use"], "this node keeps its state in another store", {
    facts: { own: store.endpoints, "the fleet's": entry.endpoints.join(",") },
  });
}

function readAddress(context: Context): Record<string, string> {
  const address = context.parsed.text("address");
  if (address === undefined) return {};
  if (isIP(address) !== 0) return { "fleet.address": address };
  throw new FairleadError(cliErrors["bad-value"], `--address does not take "${address}"`, {
    facts: { takes: "an IPv4 or IPv6 address" },
  });
}

/** What the settings have to say besides what they say. */
function listChanges(context: Context, entry: FleetEntry, loaded: LoadedSettings): SettingChanges {
  const { parsed, cwd } = context;
  const name = parsed.text("name");
  const flags = Object.entries(STORE_FLAGS).flatMap(([flag, path]): [string, string][] => {
    const value = parsed.text(flag);
    if (value === undefined) return [];
    return [[path, path.endsWith("File") ? resolve(cwd, value) : value]];
  });
  const ca = entry.ca === undefined ? "" : locateNodeFiles(findPlaces(loaded.settings)).fleetCa;
  const hasStore = loaded.settings.store.kind !== "sqlite";
  return {
    ...(name === undefined ? {} : { nodeName: name }),
    ...(hasStore ? {} : { "store.endpoints": entry.endpoints.join(",") }),
    ...(hasStore || ca === "" ? {} : { "store.caFile": ca }),
    ...Object.fromEntries(flags),
    "fleet.name": entry.fleet,
    ...readAddress(context),
  };
}

/** What was typed where, by the setting that it becomes. */
function nameTyped({ proof }: FleetEntry): Readonly<Record<string, string>> {
  const isBegun = proof === undefined;
  return {
    nodeName: "--name",
    "fleet.address": "--address",
    "fleet.name": isBegun ? "fleet create NAME" : "the token",
    "store.endpoints": isBegun ? "--store" : "the token",
    "store.caFile": isBegun ? "--ca-file" : "the token",
    ...Object.fromEntries(Object.entries(STORE_FLAGS).map(([flag, path]) => [path, `--${flag}`])),
  };
}

/** Text of a file that a flag names. Throws FL0608. */
export function readNamedFile(context: Context, path: string): string {
  try {
    return readFileSync(resolve(context.cwd, path), "utf8");
  } catch (cause) {
    throw new FairleadError(cliErrors["unreadable-file"], `cannot read ${path}`, {
      cause,
      facts: { because: cause instanceof Error ? cause.message : String(cause) },
    });
  }
}

/** Waits until the node stands on the roll. Throws FL0626 with why it does not. */
async function awaitTakingPart(context: Context): Promise<void> {
  const giveUpMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { missing, items } = await context.api.list<NodeView>("nodes");
    const isThere = items.some(({ self, address }) => self && address !== undefined);
    if (isThere && missing.length === 0) return;
    if (performance.now() > giveUpMs)
      throw new FairleadError(cliErrors["not-taking-part"], "the node does not take part yet", {
        facts: {
          because: isThere ? missing.join("; ") : "the node that runs here reads other settings",
        },
      });
    await sleep(LOOK_MS, undefined, { signal: context.signal });
  }
}

/** Enters the fleet. Nothing of this host has changed when it throws before the node is told. */
export async function enterFleet(context: Context, entry: FleetEntry): Promise<FleetEntered> {
  const loaded = loadNodeSettings(context, {});
  refuseSecondFleet(loaded);
  refuseOtherStore(context, loaded, entry);
  const changes = listChanges(context, entry, loaded);
  const edit = prepareEdit(context, loaded, changes);
  const { settings } = loadNodeSettings(context, changes, { flagNames: nameTyped(entry) });
  const files = locateNodeFiles(findPlaces(settings));
  const { ca, proof } = entry;
  if (ca !== undefined) {
    makeNodeDirectories(files);
    writeFileSync(files.fleetCa, ca, { mode: 0o600 });
  }
  let entered: FleetEntered;
  try {
    entered = await context.enterFleet({ settings, ...(proof === undefined ? {} : { proof }) });
  } catch (thrown) {
    if (ca !== undefined) rmSync(files.fleetCa, { force: true });
    throw thrown;
  }
  edit.write();
  context.out.note(`wrote ${Object.keys(changes).join(", ")} to ${edit.path}`);
  await reloadNode(context, { start: true });
  await awaitTakingPart(context);
  return entered;
}
