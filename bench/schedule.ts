// SPDX-License-Identifier: Apache-2.0
// The pure placement, alone: a whole fleet from nothing, and a second pass in which nothing moves.
import type { NodeOffer, PlaceRequest } from "#brain/placement/offer.ts";
import { placeServices } from "#brain/placement/place-services.ts";
import { parseConstraint } from "#model/constraint.ts";
import type { Bench } from "./bench.ts";

const SIZES = [
  { nodes: 1_000, instances: 100_000, rounds: 5 },
  { nodes: 10_000, instances: 1_000_000, rounds: 3 },
] as const;
const REPLICAS = 100;
const ZONES = 8;

function buildNodes(count: number): readonly NodeOffer[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `node-${index}`,
    name: `node-${index}`,
    hostName: `node-${index}`,
    os: "linux",
    arch: index % 10 === 0 ? "aarch64" : "x86_64",
    labels: { disk: index % 3 === 0 ? "ssd" : "hdd", zone: `zone-${index % ZONES}` },
    engineLabels: {},
    cpuMillis: 64_000,
    memoryBytes: 256 * 2 ** 30,
    devices: {},
    load: (index % 17) / 40,
    closed: index % 97 === 0 ? "cordoned" : "",
    draining: false,
    heldPorts: [],
  }));
}

/** One in four wants an ssd, one in ten a processor, one in twenty packs. */
function buildRequests(instances: number): readonly PlaceRequest[] {
  const ssd = parseConstraint("node.labels.disk == ssd");
  const amd = parseConstraint("node.platform.arch == amd64");
  return Array.from({ length: instances / REPLICAS }, (_, index) => ({
    service: `bench/service${index}`,
    count: REPLICAS,
    everywhere: false,
    constraints: [
      ...(ssd !== undefined && index % 4 === 0 ? [ssd] : []),
      ...(amd !== undefined && index % 10 === 0 ? [amd] : []),
    ],
    cpuMillis: 100 + (index % 5) * 50,
    memoryBytes: (64 + (index % 7) * 64) * 2 ** 20,
    devices: {},
    ports: index % 50 === 0 ? [`tcp/${10_000 + index}`] : [],
    pins: [],
    strategy: index % 20 === 0 ? "pack" : "spread",
    spreadOver: [],
    perNodeMax: 10,
    near: [],
    apart: [],
    priority: index % 3,
    standing: [],
  }));
}

const LOST = "node-1";

export const schedule: Bench = {
  name: "schedule",
  about: "pure: a fleet placed from nothing, placed again when all stand, and when a node is lost",
  async run({ say, sample }) {
    for (const { nodes, instances, rounds } of SIZES) {
      const offers = buildNodes(nodes);
      const requests = buildRequests(instances);
      const size = `${nodes}x${instances}`;
      const note = (metric: string, unit: string, value: number): void =>
        sample({ metric: `${metric}_${size}`, unit, subject: "fairlead", value });
      const perSecond = (beganMs: number): number =>
        instances / ((performance.now() - beganMs) / 1_000);
      for (let round = 0; round < rounds; round++) {
        const beganMs = performance.now();
        const placements = placeServices(offers, requests);
        note("placements_per_s", "1/s", perSecond(beganMs));
        note("rss_mb", "MiB", process.memoryUsage().rss / 2 ** 20);
        const missing = placements.reduce((sum, one) => sum + one.missing, 0);
        if (missing > 0) throw new Error(`${missing} instances found no node`);
        const again = requests.map((request, index) => ({
          ...request,
          standing: placements[index]?.nodes ?? [],
        }));
        const secondMs = performance.now();
        const second = placeServices(offers, again);
        note("kept_per_s", "1/s", perSecond(secondMs));
        if (second.some(({ kept }) => kept !== REPLICAS)) throw new Error("something moved");
        const lostMs = performance.now();
        const third = placeServices(
          offers.filter(({ id }) => id !== LOST),
          again,
        );
        note("node_lost_ms", "ms", performance.now() - lostMs);
        const moved = third.reduce((sum, { left }) => sum + left.length, 0);
        const stood = again.flatMap(({ standing }) => standing.filter((id) => id === LOST)).length;
        if (moved !== stood || stood === 0) throw new Error(`${moved} moved of ${stood} lost`);
        note("node_lost_moved", "count", moved);
      }
      say(`${instances} instances on ${nodes} nodes`);
    }
  },
};
