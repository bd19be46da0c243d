// SPDX-License-Identifier: Apache-2.0
// Where agents and nodes meet: fabric, discovery, names, rights, and the fleet.
import { createRouteBoard } from "@fairlead/fabric/route-board.ts";
import { openAccess } from "#control/access/open-access.ts";
import { computeRoutes } from "#control/compute-routes.ts";
import { loadStamps, loadTopologies } from "#control/kept-topologies.ts";
import { createNaming } from "#control/naming.ts";
import { openFleetOperations } from "#control/open-fleet-operations.ts";
import { createRoll } from "#control/roll.ts";
import { readHostUpMs } from "./host-uptime.ts";
import type { NodeParts } from "./node-parts.ts";
import { openCommonStore } from "./open-common-store.ts";
import type { Hands } from "./open-hands.ts";
import { openPeers } from "./spread-out.ts";
import { openAddresses } from "./start-addresses.ts";
import { startDiscovery } from "./start-discovery.ts";
import { startDns } from "./start-dns.ts";
import { startFabric } from "./start-fabric.ts";
import { openFarewells } from "./start-farewells.ts";
import { describeFleet, describeSelf } from "./start-fleet.ts";
import { openImages } from "./start-images.ts";
import { openLinks } from "./start-links.ts";
import { startOverlays } from "./start-overlays.ts";
import { openPlaces } from "./start-places.ts";
import { openPlacing, withKnown } from "./start-placing.ts";
import { startRights } from "./start-rights.ts";
import { startWiring } from "./start-wiring.ts";

/** All by which agents join, find others and are found, and by which nodes know of each other. */
export async function openTalk(
  parts: NodeParts,
  { store, engine, audit, loops: { board, decisions, alerts } }: Hands,
  stack: AsyncDisposableStack,
) {
  const { settings, clock, random, logger } = parts;
  const self = await describeSelf(parts);
  const belongs = describeFleet(parts);
  const roll = createRoll({ self, fleet: belongs, store, decisions, clock, logger });
  const kept = await loadTopologies(store, logger);
  const stamps = await loadStamps(store);
  const routes = createRouteBoard();
  for (const [scope, { graph }] of kept) routes.set(scope, computeRoutes(graph));
  const common = openCommonStore(store, belongs, stack);
  const rights = await startRights({ ...common, decisions, audit, alerts, clock, logger });
  const access = await openAccess({ ...common, decisions, clock, logger });
  const fabric = stack.use(await startFabric({ ...parts, audit }, routes, rights));
  rights.onGoverned((scope) => fabric.rejoin(scope));
  const hands = { store, fabric, decisions, clock, random, logger };
  const { wiring, observed } = startWiring({ ...hands, kept, stamps, self, roll });
  const discovery = stack.use(await startDiscovery({ settings, ...hands }));
  const dns = await startDns(settings, { clock, logger });
  if (dns !== undefined) stack.use(dns);
  const ours = { fleet: belongs, roll, decisions, clock, random };
  const fleet = openFleetOperations({ ...ours, own: () => identities.own });
  const nets = startOverlays({ settings, self, fleet: belongs, roll, board, ...hands }, stack);
  const placing =
    belongs === undefined
      ? undefined
      : openPlacing({ ...hands, fleet: belongs, self, roll, board, hostUpMs: readHostUpMs });
  const farewells = openFarewells({ self, fleet: belongs, roll, board, ...hands });
  const placed = { settings, self, store, placing, board, decisions, farewells, clock, logger };
  const addresses = await openAddresses(placed);
  const peers = openPeers({ fleet: belongs, settings, self, audit, clock, logger });
  const around = { settings, self, store, common, engine, board, fabric, peers, clock, logger };
  const identities = await openPlaces(around, stack);
  const links = openLinks({ settings, peers, self, roll, board, farewells, ...nets, ...hands });
  const images = openImages({ settings, peers, roll, engine, board, clock });
  const faces = {
    topologies: wiring,
    rights,
    access,
    roll: withKnown(roll, { placing, identity: peers?.identity, paths: nets.paths }),
    fleet,
    ...nets,
  };
  const { overlays, paths, clearing } = nets;
  const named = { board, fabric, farewells, elsewhere: links?.names, standing: addresses, logger };
  const naming = dns && createNaming({ zone: dns.zone, ...named });
  const own = [rights, access, wiring, observed, roll, overlays, paths, clearing, addresses];
  const more = [farewells, ...(links?.loops ?? []), ...identities.loops, images, peers, naming];
  const watchers = [...own, ...more].filter((loop) => loop !== undefined);
  const found = { fabric, discovery, dns, placing, addresses, farewells };
  return { ...found, peers, images, identities, faces, watchers, belongs };
}

/** What agents and nodes meet by. */
export type Talk = Awaited<ReturnType<typeof openTalk>>;
