// SPDX-License-Identifier: Apache-2.0
import type { InstanceStats } from "#engine/engine.ts";
import { parseTime } from "./documents.ts";

interface CpuDocument {
  readonly cpu_usage?: { readonly total_usage?: number };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

/** `GET /containers/{id}/stats`, one reading. */
export interface StatsDocument {
  readonly read: string;
  readonly cpu_stats: CpuDocument;
  readonly memory_stats: {
    readonly usage?: number;
    readonly limit?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
  readonly networks?: Readonly<
    Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>
  >;
  readonly blkio_stats?: {
    readonly io_service_bytes_recursive?:
      | readonly { readonly op: string; readonly value: number }[]
      | null;
  };
  readonly pids_stats?: { readonly current?: number };
}

/** CPU in percent of one core: nanoseconds used by nanoseconds passed. */
function computeCpu(now: StatsDocument, before: StatsDocument): number {
  const usedNs =
    (now.cpu_stats.cpu_usage?.total_usage ?? 0) - (before.cpu_stats.cpu_usage?.total_usage ?? 0);
  const passedMs = parseTime(now.read) - parseTime(before.read);
  return passedMs <= 0 || usedNs <= 0 ? 0 : (usedNs / 1e6 / passedMs) * 100;
}

/** Memory as Docker's own tools show it: without the page cache that can be given up at once. */
function computeMemory(document: StatsDocument): number {
  const { usage = 0, stats = {} } = document.memory_stats;
  return Math.max(0, usage - (stats["total_inactive_file"] ?? stats["inactive_file"] ?? 0));
}

/** A reading, CPU measured against the one before. */
export function toStats(now: StatsDocument, before: StatsDocument): InstanceStats {
  const networks = Object.values(now.networks ?? {});
  const blocks = now.blkio_stats?.io_service_bytes_recursive ?? [];
  const sumBlocks = (op: string): number =>
    blocks
      .filter((entry) => entry.op.toLowerCase() === op)
      .reduce((sum, entry) => sum + entry.value, 0);
  return {
    atMs: parseTime(now.read),
    cpuPercent: computeCpu(now, before),
    memoryBytes: computeMemory(now),
    memoryLimitBytes: now.memory_stats.limit ?? 0,
    networkReceivedBytes: networks.reduce((sum, network) => sum + network.rx_bytes, 0),
    networkSentBytes: networks.reduce((sum, network) => sum + network.tx_bytes, 0),
    blockReadBytes: sumBlocks("read"),
    blockWrittenBytes: sumBlocks("write"),
    pids: now.pids_stats?.current ?? 0,
  };
}
