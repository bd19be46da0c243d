// SPDX-License-Identifier: Apache-2.0
// Addresses of services, on this host's kernel.
import type { NodeRecord } from "@fairlead/protocol/node.ts";
import { createNftBalancer } from "#balance/nft-balancer.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Settings } from "#config/settings.ts";
import { openOwnShelf } from "#control/addresses/address-shelf.ts";
import {
  createServiceAddresses,
  type ServiceAddresses,
} from "#control/addresses/service-addresses.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { Farewells } from "#control/farewells.ts";
import type { Supervisor } from "#control/supervisor.ts";
import type { Intent } from "#model/intent.ts";
import { createNetfilter } from "#netfilter/netfilter.ts";
import type { Store } from "#store/store.ts";
import type { FleetPlacing } from "./start-placing.ts";

export interface AddressParts {
  readonly settings: Settings;
  readonly self: Pick<NodeRecord, "id">;
  readonly store: Store;
  readonly placing: FleetPlacing | undefined;
  readonly board: FactsBoard;
  readonly decisions: DecisionLog;
  readonly farewells: Farewells;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What addresses follow needs them itself: so it is given later. */
export interface AddressedParts {
  readonly supervisor: Pick<Supervisor, "loops" | "loaded">;
  /** Tells who watches how a scope stands. */
  readonly publishSoon: (scope: string) => void;
}

export interface NodeAddresses extends ServiceAddresses {
  /** To be called before it runs. */
  follow(parts: AddressedParts): void;
}

function wantsAddress(intent: Intent | undefined, service: string): boolean {
  return intent?.services.some((one) => one.name === service && one.address !== undefined) === true;
}

/** Makes the loop; what it has made on the host stays when the node ends. */
export async function openAddresses(parts: AddressParts): Promise<NodeAddresses> {
  const { settings, self, store, placing, board, decisions, farewells, clock, logger } = parts;
  const ranges = settings.serviceAddresses.split(",");
  let followed: AddressedParts | undefined;

  function listIntents(): readonly Intent[] | undefined {
    if (followed?.supervisor.loaded !== true) return undefined;
    return [...followed.supervisor.loops.values()].flatMap(({ desired }) =>
      desired.removal === undefined ? [desired.intent] : [],
    );
  }

  function isWanted(key: string): boolean | undefined {
    const at = key.indexOf("/");
    const [scope, service] = [key.slice(0, at), key.slice(at + 1)];
    const here = listIntents();
    if (here === undefined) return undefined;
    if (
      wantsAddress(
        here.find((intent) => intent.scope === scope),
        service,
      )
    )
      return true;
    if (placing === undefined) return false;
    if (placing.desk.problem !== undefined) return undefined;
    const wanted = placing.desk.wanted(scope);
    return wanted?.removal === undefined && wantsAddress(wanted?.intent, service);
  }

  const addresses = createServiceAddresses({
    shelf: placing?.shelf ?? (await openOwnShelf(store)),
    balancer: createNftBalancer({ netfilter: createNetfilter(), ranges }),
    board,
    decisions,
    ranges,
    intents: listIntents,
    isWanted,
    fleet:
      placing === undefined
        ? undefined
        : {
            self: self.id,
            picture: () => placing.picture(),
            readPicture: () => placing.readPicture(),
          },
    farewells,
    clock,
    logger,
  });
  farewells.heed(() => addresses.settle());
  farewells.onChange((scope) => {
    if (scope === undefined) return;
    placing?.notePass(scope);
    followed?.publishSoon(scope);
  });
  return Object.assign(addresses, { follow: (given: AddressedParts) => void (followed = given) });
}
