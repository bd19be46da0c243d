// SPDX-License-Identifier: Apache-2.0
// What containers see of this node, and who signs for them: the fleet's authority, or the node's own where there is no fleet.
import { createHash } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Settings } from "#config/settings.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import { openGivenAuthority, toOwnAuthority } from "#control/identity/given-authority.ts";
import type { GivenAuthority } from "#control/identity/given-authority.ts";
import { createGivenNotes } from "#control/identity/given-notes.ts";
import { openIssuedBook } from "#control/identity/issued-book.ts";
import { openOwnAuthority, type OwnAuthority } from "#control/identity/own-authority.ts";
import { createPlaces, type Places } from "#control/identity/places.ts";
import { openRevocations, type Revocations } from "#control/identity/revocations.ts";
import type { Peers } from "#control/peers.ts";
import type { Engine } from "#engine/engine.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { Store } from "#store/store.ts";
import type { CommonStore } from "./open-common-store.ts";
import { readToken } from "./token-file.ts";

interface PlaceParts {
  readonly settings: Settings;
  readonly store: Store;
  /** Where stands what all nodes know alike. */
  readonly common: CommonStore;
  readonly engine: Engine;
  readonly board: FactsBoard;
  readonly fabric: Fabric;
  readonly peers: Peers | undefined;
  /** This node. */
  readonly self: { readonly id: string };
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Identities {
  /** Undefined in a fleet, whose authority stands in its store. */
  readonly own: OwnAuthority | undefined;
  /** Undefined where the engine is on another host. */
  readonly places: Places | undefined;
  /** Certificates of containers that are believed no more. */
  readonly revocations: Revocations;
  readonly loops: readonly { run(signal: AbortSignal): Promise<void> }[];
}

/** The authority that the settings name; undefined when they name none. Throws FL2001. */
export function openGiven(
  { identity }: Settings,
  parts: Pick<PlaceParts, "clock" | "logger">,
): GivenAuthority | undefined {
  const { certFile, keyFile, caFile } = identity;
  if (certFile === "" && keyFile === "" && caFile === "") return undefined;
  return openGivenAuthority({ ...parts, files: { certFile, keyFile, caFile } });
}

async function openOwn({ settings, store, clock, logger }: PlaceParts): Promise<OwnAuthority> {
  const given = openGiven(settings, { clock, logger });
  if (given !== undefined) return toOwnAuthority(given, settings.nodeName);
  const token = await readToken(locateNodeFiles(findPlaces(settings)).fabricSecret);
  const secret = createHash("sha256").update("fairlead own authority").update(token).digest();
  return openOwnAuthority({ store, secret, name: settings.nodeName, clock, logger });
}

/** Makes both. */
export async function openPlaces(
  parts: PlaceParts,
  stack: AsyncDisposableStack,
): Promise<Identities> {
  const { settings, engine, peers } = parts;
  const own = peers === undefined ? await openOwn(parts) : undefined;
  const issuer = own?.issuer ?? peers?.identity.issuer;
  const isLocal = engine.endpoint.startsWith("unix:");
  const directory = locateNodeFiles(findPlaces(settings)).places;
  const revocations = await openRevocations({
    ...parts.common,
    ...parts,
    node: settings.nodeName,
  });
  const tellFabric = (): void =>
    parts.fabric.setRevoked(new Set(revocations.list().map(({ serial }) => serial)));
  revocations.onChange(tellFabric);
  tellFabric();
  const { openStore } = parts.common;
  const given =
    peers === undefined
      ? undefined
      : createGivenNotes({ ...parts, openStore, node: parts.self.id });
  const issued = await openIssuedBook({ ...parts, revocations, given });
  const places =
    issuer === undefined || !isLocal
      ? undefined
      : stack.use(createPlaces({ ...parts, issuer, issued, revocations, directory }));
  const loops = [own, places, revocations, given].filter((loop) => loop !== undefined);
  return { own, places, revocations, loops };
}
