// SPDX-License-Identifier: Apache-2.0
// The nodes while services are placed on them: what is free, what stands where, who fails which test.
import { isAllowed, readTrait, type Constraint } from "#model/constraint.ts";
import type { NodeOffer, PlaceRequest } from "./offer.ts";
import type { Failure } from "./refusals.ts";

/** What one instance takes of a kind, and what is free of it by node number. */
interface Need {
  readonly kind: string;
  readonly amount: number;
  readonly free: Float64Array;
}

/** A request made ready for one ground. */
export interface Demand {
  readonly request: PlaceRequest;
  readonly needs: readonly Need[];
  readonly masks: readonly { readonly text: string; readonly mask: Uint8Array }[];
  /** Instances of those that may not stand on a node with this one's, by node number. */
  readonly foes: readonly { readonly service: string; readonly counts: Map<number, number> }[];
  /** Its own instances by node number. */
  readonly counts: Map<number, number>;
}

const GONE: Failure = { test: "gone" };
const DRAINING: Failure = { test: "draining" };

/** What is free on each node, by number. Changes as instances are put. Typed arrays, for ten thousand nodes are usual. */
export class Ground {
  readonly nodes: readonly NodeOffer[];
  readonly numbers: ReadonlyMap<string, number>;
  /** Share of processor or memory that is reserved, whichever is more, plus the load; smaller is freer. */
  readonly use: Float64Array;
  readonly #cpuFree: Float64Array;
  readonly #memoryFree: Float64Array;
  readonly #devicesFree = new Map<string, Float64Array>();
  readonly #open: Uint8Array;
  readonly #ports: Set<string>[];
  readonly #standing = new Map<string, Map<number, number>>();
  readonly #allowed = new Map<string, Uint8Array>();
  readonly #groups = new Map<string, Int32Array>();

  constructor(nodes: readonly NodeOffer[]) {
    this.nodes = nodes;
    this.numbers = new Map(nodes.map(({ id }, number) => [id, number]));
    this.#cpuFree = Float64Array.from(nodes, ({ cpuMillis }) => cpuMillis);
    this.#memoryFree = Float64Array.from(nodes, ({ memoryBytes }) => memoryBytes);
    this.#open = Uint8Array.from(nodes, ({ closed, draining }) =>
      closed === "" && !draining ? 1 : 0,
    );
    this.#ports = nodes.map(({ heldPorts }) => new Set(heldPorts));
    this.use = Float64Array.from(nodes, (_, number) => this.#useOf(number));
  }

  /** Makes a request ready. `foes`: all with which it may not share a node, whoever of the two said so. */
  prepare(request: PlaceRequest, foes: readonly string[]): Demand {
    const devices = Object.entries(request.devices).sort(([a], [b]) => (a < b ? -1 : 1));
    const needs: readonly Need[] = [
      { kind: "processor", amount: request.cpuMillis, free: this.#cpuFree },
      { kind: "memory", amount: request.memoryBytes, free: this.#memoryFree },
      ...devices.map(([kind, amount]) => ({ kind, amount, free: this.#devicesOf(kind) })),
    ];
    return {
      request,
      needs: needs.filter(({ amount }) => amount > 0),
      masks: request.constraints.map((one) => ({ text: one.text, mask: this.#allow(one) })),
      foes: foes.map((service) => ({ service, counts: this.countsOf(service) })),
      counts: this.countsOf(request.service),
    };
  }

  /** Numbers of the nodes that take one more instance. */
  listFit(demand: Demand): number[] {
    const { request, needs, masks } = demand;
    const special = request.pins.length + request.ports.length + demand.foes.length > 0;
    const counts = special || demand.counts.size > 0;
    const fit: number[] = [];
    const { length } = this.nodes;
    next: for (let number = 0; number < length; number++) {
      if (this.#open[number] === 0) continue;
      for (const { amount, free } of needs) if ((free[number] ?? 0) < amount) continue next;
      for (const { mask } of masks) if (mask[number] === 0) continue next;
      if (counts && this.findFailure(number, demand) !== undefined) continue;
      fit.push(number);
    }
    return fit;
  }

  /** The first test that a node fails for one more instance; undefined when it passes all. */
  findFailure(number: number, demand: Demand): Failure | undefined {
    const closed = this.nodes[number]?.closed ?? "";
    return (
      this.findLasting(number, demand) ??
      (closed === "" ? undefined : { test: closed }) ??
      this.findShortage(number, demand)
    );
  }

  /** Tests that no other placement changes. */
  findLasting(number: number, { request, masks }: Demand): Failure | undefined {
    const node = this.nodes[number];
    if (node === undefined) return GONE;
    if (node.draining) return DRAINING;
    for (const { text, mask } of masks)
      if (mask[number] === 0) return { test: `constraint ${text}` };
    for (const { volume, nodes } of request.pins)
      if (!nodes.includes(node.id)) return { test: `volume ${volume} is elsewhere` };
    return undefined;
  }

  /** What is lacking for one more instance, whether or not the node takes anything new. */
  findShortage(number: number, demand: Demand): Failure | undefined {
    const { request } = demand;
    for (const { kind, amount, free } of demand.needs) {
      const has = free[number] ?? 0;
      if (has < amount) return { test: kind, short: { needs: amount, free: Math.max(0, has) } };
    }
    const taken = request.ports.find((port) => this.#ports[number]?.has(port) === true);
    if (taken !== undefined) return { test: `port ${taken}` };
    for (const { service, counts } of demand.foes)
      if (counts.has(number)) return { test: `apart from ${service}` };
    if ((demand.counts.get(number) ?? 0) >= request.perNodeMax)
      return { test: `${request.perNodeMax} a node at most` };
    return undefined;
  }

  put(number: number, demand: Demand): void {
    for (const { amount, free } of demand.needs) free[number] = (free[number] ?? 0) - amount;
    this.use[number] = this.#useOf(number);
    for (const port of demand.request.ports) this.#ports[number]?.add(port);
    demand.counts.set(number, (demand.counts.get(number) ?? 0) + 1);
  }

  /** Takes back what was put. */
  take(number: number, demand: Demand): void {
    for (const { amount, free } of demand.needs) free[number] = (free[number] ?? 0) + amount;
    this.use[number] = this.#useOf(number);
    for (const port of demand.request.ports) this.#ports[number]?.delete(port);
    const count = demand.counts.get(number) ?? 0;
    if (count > 1) demand.counts.set(number, count - 1);
    else demand.counts.delete(number);
  }

  /** Share of a node's processor or memory that is reserved, whichever is more, 0 to 1. */
  reservedOf(number: number): number {
    return (this.use[number] ?? 0) - (this.nodes[number]?.load ?? 0);
  }

  /** Instances of a service by node number. Changes as they are put. */
  countsOf(service: string): Map<number, number> {
    let counts = this.#standing.get(service);
    if (counts === undefined) this.#standing.set(service, (counts = new Map()));
    return counts;
  }

  /** For each node the number of the group of those that have the same under the key. */
  groupsOf(key: string): Int32Array {
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const numbers = new Map<string, number>();
    const groups = Int32Array.from(this.nodes, (node) => {
      const value = readTrait(node, key) ?? "";
      const number = numbers.get(value) ?? numbers.size;
      numbers.set(value, number);
      return number;
    });
    this.#groups.set(key, groups);
    return groups;
  }

  #useOf(number: number): number {
    const node = this.nodes[number];
    if (node === undefined) return 2;
    const { cpuMillis, memoryBytes, load } = node;
    const cpu = cpuMillis === 0 ? 1 : 1 - (this.#cpuFree[number] ?? 0) / cpuMillis;
    const memory = memoryBytes === 0 ? 1 : 1 - (this.#memoryFree[number] ?? 0) / memoryBytes;
    return Math.min(1, Math.max(0, cpu, memory)) + load;
  }

  #devicesOf(kind: string): Float64Array {
    let free = this.#devicesFree.get(kind);
    if (free === undefined) {
      free = Float64Array.from(this.nodes, ({ devices }) =>
        Object.hasOwn(devices, kind) ? (devices[kind] ?? 0) : 0,
      );
      this.#devicesFree.set(kind, free);
    }
    return free;
  }

  #allow(constraint: Constraint): Uint8Array {
    const known = this.#allowed.get(constraint.text);
    if (known !== undefined) return known;
    const mask = Uint8Array.from(this.nodes, (node) => (isAllowed(constraint, node) ? 1 : 0));
    this.#allowed.set(constraint.text, mask);
    return mask;
  }
}
