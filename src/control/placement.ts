// SPDX-License-Identifier: Apache-2.0
// Why services stand where they stand, from what this node sees: its roll, what is wanted here, what runs here.
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { PlacementView } from "@fairlead/protocol/placement.ts";
import { FairleadError } from "#base/errors.ts";
import { askPlacement } from "#brain/fleet/assign-scopes.ts";
import type { FleetPicture } from "#brain/fleet/picture.ts";
import { buildPlaceRequest } from "#brain/placement/build-request.ts";
import { explainPlacement } from "#brain/placement/explain.ts";
import type { NodeOffer, PlaceRequest } from "#brain/placement/offer.ts";
import type { NodeTraits } from "#model/constraint.ts";
import type { Facts } from "#model/facts.ts";
import type { Intent } from "#model/intent.ts";
import { controlErrors } from "./errors.ts";
import type { FactsBoard } from "./facts-board.ts";
import { failLookup } from "./lookup.ts";
import type { Roll } from "./roll.ts";

/** What may be asked about placement. */
export interface PlacementDesk {
  /** `service`: `web`, or `shop/web`. Throws FL0701 `no-such-object`, FL0702 `ambiguous-name`, FL0704 `engine-away`. */
  explain(service: string, scope: string | undefined): Promise<PlacementView>;
}

interface PlacementParts {
  readonly roll: Pick<Roll, "list" | "problem">;
  /** What is wanted of this node's scopes. */
  readonly intents: () => readonly Intent[];
  /** The fleet as its leader looks at it; absent for a node by itself. */
  readonly picture?: () => Promise<FleetPicture | undefined>;
  readonly board: Pick<FactsBoard, "read" | "problem">;
}

const ALONE =
  "this node is by itself: it makes what meets the constraints, whatever else is said here";
const OTHERS = "what runs on other nodes is not counted";

function findClosed({ state, schedulable }: NodeView): string {
  if (state !== "alive") return state;
  return schedulable ? "" : "cordoned";
}

/** A node of the roll as placement takes it; of the node itself the engine says more. */
function offerOf(
  view: NodeView,
  traits: NodeTraits | undefined,
  heldPorts: readonly string[],
): NodeOffer {
  const { id, name, os, arch, labels, cpuCount, memoryBytes, devices, draining } = view;
  return {
    ...(traits ?? { id, hostName: name, os, arch, labels, engineLabels: {} }),
    name,
    cpuMillis: cpuCount * 1_000,
    memoryBytes,
    devices,
    load: 0,
    closed: findClosed(view),
    draining,
    heldPorts,
  };
}

/** Host ports that containers of no managed service hold. */
function listHeldPorts({ instances }: Facts, managed: ReadonlySet<string>): readonly string[] {
  const others = instances.filter(({ scope, service }) => !managed.has(`${scope}/${service}`));
  return [
    ...new Set(
      others.flatMap(({ ports }) =>
        ports
          .filter(({ hostPort }) => hostPort > 0)
          .map(({ protocol, hostPort }) => `${protocol}/${hostPort}`),
      ),
    ),
  ];
}

function requestsOf(
  { scope, services, volumes }: Intent,
  facts: Facts,
  node: string,
): PlaceRequest[] {
  return services.map((service) => {
    const here = facts.instances.filter(
      (one) => one.scope === scope && one.service === service.name && !one.oneoff,
    );
    const standing = here.map(() => node);
    return buildPlaceRequest(service, { scope, volumes, dataNodes: new Map(), standing });
  });
}

function findService(names: readonly string[], service: string, scope: string | undefined): string {
  const found = names.filter((name) => {
    const [of = "", bare = ""] = name.split("/");
    return service === name || (service === bare && (scope === undefined || scope === of));
  });
  const [only, second] = found;
  const bare = names.flatMap((name) => {
    const [of = "", last = ""] = name.split("/");
    return scope === undefined || scope === of ? [last] : [];
  });
  if (only === undefined) return failLookup(service, service.includes("/") ? names : bare, scope);
  if (second === undefined) return only;
  throw new FairleadError(
    controlErrors["ambiguous-name"],
    `"${service}" is the name of more than one: ${found.join(", ")}`,
  );
}

/** Makes the desk. */
export function createPlacementDesk(parts: PlacementParts): PlacementDesk {
  const { roll, intents, board, picture = () => Promise.resolve(undefined) } = parts;

  /** What this node by itself sees: its own host with what runs there, and the roll. */
  function askAlone() {
    const facts = board.read();
    const { node } = facts;
    if (node === undefined)
      throw new FairleadError(
        controlErrors["engine-away"],
        board.problem ?? "the engine has not said what it is",
      );
    const requests = intents().flatMap((intent) => requestsOf(intent, facts, node.id));
    const held = listHeldPorts(facts, new Set(requests.map(({ service }) => service)));
    const views = roll.list();
    const offers = views.map((view) =>
      view.self ? offerOf(view, node, held) : offerOf(view, undefined, []),
    );
    return { offers, requests, notes: [views.length <= 1 ? ALONE : OTHERS] };
  }

  /** What the whole fleet sees, where it wants anything. */
  async function ask() {
    const whole = await picture();
    if (whole === undefined || whole.scopes.size === 0) return askAlone();
    const stale = roll.problem === undefined ? [] : [`this may be old: ${roll.problem}`];
    return { ...askPlacement(whole), notes: stale };
  }

  return {
    async explain(service, scope) {
      const { offers, requests, notes } = await ask();
      const names = requests.map((request) => request.service);
      const name = findService(names, service, scope);
      const explained = explainPlacement(offers, requests, name) ?? failLookup(service, names);
      return { ...explained, notes };
    },
  };
}
