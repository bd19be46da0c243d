// SPDX-License-Identifier: Apache-2.0
// The nodes while services are placed on them: what is free, what stands where, who fails which test.
import { isAllowed, type Constraint } from "./constraint.ts";
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

/** What is free on each node, by number. Changes as instances are put. */
export class Ground {
  readonly nodes: readonly NodeOffer[];
  readonly numbers: ReadonlyMap<string, number>;
  readonly #cpuFree: Float64Array;
  readonly #memoryFree: Float64Array;
  readonly #gpusFree: Float64Array;
  readonly #ports: Set<string>[];
  /** Instances by service and node number. */
  readonly #standing = new Map<string, Map<number, number>>();
  readonly #allowed = new Map<string, Uint8Array>();

  constructor(nodes: readonly NodeOffer[]) {
    this.nodes = nodes;
    this.numbers = new Map(nodes.map(({ id }, number) => [id, number]));
    this.#cpuFree = Float64Array.from(nodes, ({ cpuMillis }) => cpuMillis);
    this.#memoryFree = Float64Array.from(nodes, ({ memoryBytes }) => memoryBytes);
    this.#gpusFree = Float64Array.from(nodes, ({ gpus }) => gpus);
    this.#ports = nodes.map(({ heldPorts }) => new Set(heldPorts));
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

  /** What is lacking for one more instance, leaving out `closed` and what never changes. */
  findShortage(number: number, request: PlaceRequest): string | undefined {
    const closed = this.nodes[number]?.closed ?? "gone";
    if (closed !== "") return closed;
    if ((this.#cpuFree[number] ?? 0) < request.cpuMillis) return "processor";
    if ((this.#memoryFree[number] ?? 0) < request.memoryBytes) return "memory";
    if ((this.#gpusFree[number] ?? 0) < request.gpus) return "gpu";
    if (request.ports.length > 0) {
      const taken = request.ports.find((port) => this.#ports[number]?.has(port) === true);
      if (taken !== undefined) return `port ${taken}`;
    }
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
    for (const port of request.ports) this.#ports[number]?.add(port);
    let counts = this.#standing.get(request.service);
    if (counts === undefined) this.#standing.set(request.service, (counts = new Map()));
    counts.set(number, (counts.get(number) ?? 0) + 1);
  }

  countOf(service: string, number: number): number {
    return this.#standing.get(service)?.get(number) ?? 0;
  }

  /** Share of processor or memory that is reserved, whichever is more; 0 to 1. */
  useOf(number: number): number {
    const node = this.nodes[number];
    if (node === undefined) return 1;
    const cpu = node.cpuMillis === 0 ? 1 : 1 - (this.#cpuFree[number] ?? 0) / node.cpuMillis;
    const memory =
      node.memoryBytes === 0 ? 1 : 1 - (this.#memoryFree[number] ?? 0) / node.memoryBytes;
    return Math.min(1, Math.max(0, cpu, memory));
  }

  #allow(constraint: Constraint): Uint8Array {
    const known = this.#allowed.get(constraint.text);
    if (known !== undefined) return known;
    const mask = Uint8Array.from(this.nodes, (node) => (isAllowed(constraint, node) ? 1 : 0));
    this.#allowed.set(constraint.text, mask);
    return mask;
  }
}
