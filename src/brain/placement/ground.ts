// SPDX-License-Identifier: Apache-2.0
// The nodes while services are placed on them: what is free, what stands where, who fails which test.
import { isAllowed, type Constraint } from "#model/constraint.ts";
import type { NodeOffer, PlaceRequest, Refusal } from "./offer.ts";

const EXAMPLES_MAX = 3;

/** Tests that nodes failed, counted. */
export class RefusalCount {
  readonly #tests = new Map<string, { nodes: number; examples: string[] }>();

  add(test: string, node: string): void {
    const known = this.#tests.get(test);
    if (known === undefined) return void this.#tests.set(test, { nodes: 1, examples: [node] });
    known.nodes++;
    if (known.examples.length < EXAMPLES_MAX) known.examples.push(node);
  }

  list(): readonly Refusal[] {
    return [...this.#tests]
      .map(([test, { nodes, examples }]) => ({ test, nodes, examples }))
      .sort((a, b) => b.nodes - a.nodes);
  }
}

/** What is free on each node, by number. Changes as instances are put. Typed arrays, for ten thousand nodes are usual. */
export class Ground {
  readonly nodes: readonly NodeOffer[];
  readonly numbers: ReadonlyMap<string, number>;
  /** Number of each node's zone. */
  readonly zones: Int32Array;
  /** Share of processor or memory that is reserved, whichever is more, plus the load; smaller is freer. */
  readonly use: Float64Array;
  readonly #cpuFree: Float64Array;
  readonly #memoryFree: Float64Array;
  readonly #gpusFree: Float64Array;
  readonly #open: Uint8Array;
  readonly #ports: Set<string>[];
  /** Instances of each service, by node number. */
  readonly #standing = new Map<string, Map<number, number>>();
  readonly #allowed = new Map<string, Uint8Array>();

  constructor(nodes: readonly NodeOffer[]) {
    this.nodes = nodes;
    this.numbers = new Map(nodes.map(({ id }, number) => [id, number]));
    const zones = new Map<string, number>();
    this.zones = Int32Array.from(nodes, ({ zone }) => {
      const number = zones.get(zone) ?? zones.size;
      zones.set(zone, number);
      return number;
    });
    this.#cpuFree = Float64Array.from(nodes, ({ cpuMillis }) => cpuMillis);
    this.#memoryFree = Float64Array.from(nodes, ({ memoryBytes }) => memoryBytes);
    this.#gpusFree = Float64Array.from(nodes, ({ gpus }) => gpus);
    this.#open = Uint8Array.from(nodes, ({ closed, draining }) =>
      closed === "" && !draining ? 1 : 0,
    );
    this.#ports = nodes.map(({ heldPorts }) => new Set(heldPorts));
    this.use = Float64Array.from(nodes, (_, number) => this.#useOf(number));
  }

  /** Numbers of the nodes that take one more instance. */
  listFit(request: PlaceRequest): readonly number[] {
    const { cpuMillis, memoryBytes, gpus, pins } = request;
    const masks = request.constraints.map((constraint) => this.#allow(constraint));
    const special = pins.length + request.ports.length + request.apart.length > 0;
    const here = this.#standing.get(request.service);
    const fit: number[] = [];
    const { length } = this.nodes;
    next: for (let number = 0; number < length; number++) {
      if (this.#open[number] === 0) continue;
      if ((this.#cpuFree[number] ?? 0) < cpuMillis) continue;
      if ((this.#memoryFree[number] ?? 0) < memoryBytes) continue;
      if ((this.#gpusFree[number] ?? 0) < gpus) continue;
      for (const mask of masks) if (mask[number] === 0) continue next;
      const counts = special || (here !== undefined && here.size > 0);
      if (counts && this.findRefusal(number, request) !== undefined) continue;
      fit.push(number);
    }
    return fit;
  }

  /** The first test that a node fails for one more instance; undefined when it passes all. */
  findRefusal(number: number, request: PlaceRequest): string | undefined {
    return this.findLastingRefusal(number, request) ?? this.findShortage(number, request);
  }

  /** Tests that no other placement changes: those that an instance which stands there must pass too. */
  findLastingRefusal(number: number, request: PlaceRequest): string | undefined {
    const node = this.nodes[number];
    if (node === undefined) return "gone";
    if (node.draining) return "draining";
    for (const constraint of request.constraints)
      if (this.#allow(constraint)[number] === 0) return `constraint ${constraint.text}`;
    if (request.pins.length > 0 && !request.pins.includes(node.id)) return "volume is elsewhere";
    return undefined;
  }

  /** What is lacking for one more instance, leaving out what never changes. */
  findShortage(number: number, request: PlaceRequest): string | undefined {
    const closed = this.nodes[number]?.closed ?? "gone";
    if (closed !== "") return closed;
    if ((this.#cpuFree[number] ?? 0) < request.cpuMillis) return "processor";
    if ((this.#memoryFree[number] ?? 0) < request.memoryBytes) return "memory";
    if ((this.#gpusFree[number] ?? 0) < request.gpus) return "gpu";
    const taken = request.ports.find((port) => this.#ports[number]?.has(port) === true);
    if (taken !== undefined) return `port ${taken}`;
    for (const other of request.apart)
      if (this.countOf(other, number) > 0) return `apart from ${other}`;
    if (this.countOf(request.service, number) >= request.perNodeMax)
      return `${request.perNodeMax} a node at most`;
    return undefined;
  }

  put(number: number, request: PlaceRequest): void {
    this.#cpuFree[number] = (this.#cpuFree[number] ?? 0) - request.cpuMillis;
    this.#memoryFree[number] = (this.#memoryFree[number] ?? 0) - request.memoryBytes;
    this.#gpusFree[number] = (this.#gpusFree[number] ?? 0) - request.gpus;
    this.use[number] = this.#useOf(number);
    for (const port of request.ports) this.#ports[number]?.add(port);
    let counts = this.#standing.get(request.service);
    if (counts === undefined) this.#standing.set(request.service, (counts = new Map()));
    counts.set(number, (counts.get(number) ?? 0) + 1);
  }

  countOf(service: string, number: number): number {
    return this.#standing.get(service)?.get(number) ?? 0;
  }

  /** Instances of a service by node number; undefined when it has none. */
  countsOf(service: string): ReadonlyMap<number, number> | undefined {
    return this.#standing.get(service);
  }

  #useOf(number: number): number {
    const node = this.nodes[number];
    if (node === undefined) return 2;
    const { cpuMillis, memoryBytes, load } = node;
    const cpu = cpuMillis === 0 ? 1 : 1 - (this.#cpuFree[number] ?? 0) / cpuMillis;
    const memory = memoryBytes === 0 ? 1 : 1 - (this.#memoryFree[number] ?? 0) / memoryBytes;
    return Math.min(1, Math.max(0, cpu, memory)) + load;
  }

  #allow(constraint: Constraint): Uint8Array {
    const known = this.#allowed.get(constraint.text);
    if (known !== undefined) return known;
    const mask = Uint8Array.from(this.nodes, (node) => (isAllowed(constraint, node) ? 1 : 0));
    this.#allowed.set(constraint.text, mask);
    return mask;
  }
}
