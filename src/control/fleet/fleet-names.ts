// SPDX-License-Identifier: Apache-2.0
// Names of services on other hosts: each node tells the others which healthy instances it has and where they are reached,
// and keeps what it is told. A node that may be lost is named in no answer; its names stay, without an address.
import type { NodeIdentity, NodeLinks } from "@fairlead/fabric/node-links.ts";
import { z } from "zod";
import { awaitAbort } from "#base/await-abort.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { Farewells } from "#control/farewells.ts";
import { gatherCalls } from "#control/gather-calls.ts";
import { listTellable, type TellableService } from "#control/naming.ts";
import type { Overlays } from "#control/overlays.ts";
import type { Roll } from "#control/roll.ts";
import type { ZoneMember, ZoneService } from "#discovery/dns/zone.ts";
import { LEFT_MS } from "./left-for.ts";

export interface FleetNamesOptions {
  readonly board: FactsBoard;
  /** Instances that are about to be stopped: others are not told of them. */
  readonly farewells: Pick<Farewells, "has" | "onChange">;
  readonly nodes: NodeLinks;
  readonly roll: Pick<Roll, "list" | "onLook" | "problem">;
  readonly overlays: Pick<Overlays, "reaches" | "onReach">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface FleetNames {
  /** Services of other hosts, with what leads to their instances from here. */
  list(): readonly ZoneService[];
  /** Whether each node that is not gone has told its own; so long as one may after this node's start that does not, it is not. */
  readonly isWhole: boolean;
  onChange(listener: () => void): () => void;
  run(signal: AbortSignal): Promise<void>;
}

const KEY = "names";
/** So long after its start a node waits for what others tell it. */
const FILLING_MS = 30_000;
const SERVICES_MAX = 10_000;

const Port = z.object({
  name: z.string().max(63),
  port: z.number().int().min(1).max(65_535),
  protocol: z.enum(["tcp", "udp"]),
});
const ToldServices = z
  .array(
    z.object({
      scope: z.string().max(255),
      name: z.string().max(255),
      members: z.array(
        z.object({
          label: z.string().max(63),
          addresses: z.array(z.string().max(45)),
          ports: z.array(Port),
          published: z.array(Port),
        }),
      ),
    }),
  )
  .max(SERVICES_MAX);

interface Told {
  readonly node: NodeIdentity;
  readonly services: readonly TellableService[];
}

/** Makes the loop. */
export function createFleetNames(options: FleetNamesOptions): FleetNames {
  const { board, farewells, nodes, roll, overlays, clock, logger } = options;
  const told = new Map<string, Told>();
  const listeners = new Set<() => void>();
  const leftSinceMs = new Map<string, number>();
  const untilMs = clock.monotonicMs() + FILLING_MS;
  let isWhole = false;
  let said = "";
  let states = "";

  function tellListeners(): void {
    for (const listener of listeners) listener();
  }

  /** What this node has, once its engine was heard: until then others keep what they were told before. */
  function sayOwn(): void {
    if (!board.ready) return;
    const own = listTellable(board.read().instances, farewells);
    const text = JSON.stringify(own);
    if (text === said) return;
    said = text;
    nodes.tell(KEY, own);
  }

  const saySoon = gatherCalls(sayOwn);

  function take(node: NodeIdentity, key: string, value: unknown): void {
    if (key !== KEY) return;
    const parsed = ToldServices.safeParse(value);
    if (!parsed.success) {
      logger.warn("the names that a node tells cannot be read", { name: node.name });
      return;
    }
    told.set(node.id, { node, services: parsed.data });
    tellListeners();
  }

  /** Whether a node may be named in answers. */
  function isNamed(id: string): boolean {
    const state = roll.list().find((node) => node.id === id)?.state;
    const leftMs = leftSinceMs.get(id);
    if (state === "left") return leftMs !== undefined && clock.monotonicMs() - leftMs < LEFT_MS;
    return state === "alive";
  }

  /** Once it is whole it stays so: a node that comes later tells of itself what nobody knew. */
  function lookWhole(): boolean {
    if (isWhole) return true;
    const isLate = clock.monotonicMs() >= untilMs;
    if (roll.problem !== undefined) return isLate;
    // One that may be lost, or is on its way back, has what is named as well.
    return roll.list().every(({ id, self, state }) => {
      if (self || state === "gone" || told.has(id)) return true;
      return state === "left" ? !isNamed(id) : isLate;
    });
  }

  /** What is known of a node goes with it when it is taken off the roll; its names are looked at again when its state changes. */
  function look(): void {
    const known = roll.list();
    const ids = new Set(known.map(({ id }) => id));
    for (const { id, state } of known) {
      if (state !== "left") leftSinceMs.delete(id);
      else if (!leftSinceMs.has(id)) leftSinceMs.set(id, clock.monotonicMs());
    }
    for (const id of told.keys()) if (!ids.has(id)) told.delete(id);
    const wasWhole = isWhole;
    isWhole = lookWhole();
    const now = [...told.keys()].map((id) => `${id} ${isNamed(id)}`).join();
    if (now === states && wasWhole === isWhole) return;
    states = now;
    tellListeners();
  }

  /** On a network that spans hosts by its own address; elsewhere by the ports that its host gives it. */
  function toMember(
    { label, addresses, ports, published }: TellableService["members"][number],
    host: string,
  ): readonly ZoneMember[] {
    const reached = addresses.filter((address) => overlays.reaches(address));
    if (reached.length > 0) return [{ label, addresses: reached, ports }];
    if (published.length === 0 || host === "") return [];
    return [{ label, addresses: [host], ports: published, isByPort: true }];
  }

  return {
    list() {
      const hosts = new Map(roll.list().map(({ id, address }) => [id, address ?? ""]));
      return [...told.values()].flatMap(({ node, services }) => {
        const host = isNamed(node.id) ? (hosts.get(node.id) ?? "") : undefined;
        return services.map(({ scope, name, members }) => ({
          scope,
          name,
          members: host === undefined ? [] : members.flatMap((one) => toMember(one, host)),
        }));
      });
    },
    get isWhole() {
      return isWhole;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async run(signal) {
      const stops = [
        nodes.onTold(take),
        board.onChange(() => void saySoon()),
        farewells.onChange(() => void saySoon()),
        roll.onLook(look),
        overlays.onReach(() => {
          nodes.setReach(leads);
          tellListeners();
        }),
      ];
      nodes.setReach(leads);
      sayOwn();
      await awaitAbort(signal);
      for (const stop of stops) stop();
    },
  };

  /** Whether the address of an agent on another host leads there: its host's own, or one on a network that spans both. */
  function leads(address: string, { id }: NodeIdentity): boolean {
    const host = address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
    return (
      overlays.reaches(host) || roll.list().some((one) => one.id === id && one.address === host)
    );
  }
}
