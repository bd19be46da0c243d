// SPDX-License-Identifier: Apache-2.0
import type { UsageReading, UsageView } from "@fairlead/protocol/routes.ts";
import { formatSize } from "#base/size.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findScope } from "#cli/find-scope.ts";
import { type ListView, wrapItems } from "#cli/output.ts";
import type { Column } from "#cli/table.ts";

/** Where an instance is, once it can be elsewhere. */
const NODE: Column<UsageView> = { key: "node", title: "NODE", value: (item) => item.node ?? "" };

const listUsage = (spans: boolean): ListView<UsageView> => ({
  name: (item) => item.instance,
  empty: "no running instances",
  columns: [
    { key: "scope", title: "SCOPE", value: (item) => item.scope, wide: true },
    { key: "instance", title: "INSTANCE", value: (item) => item.instance },
    { key: "service", title: "SERVICE", value: (item) => item.service, wide: true },
    ...(spans ? [NODE] : []),
    { key: "cpu", title: "CPU", value: (item) => `${item.cpuPercent.toFixed(1)}%` },
    { key: "memory", title: "MEMORY", value: (item) => formatSize(item.memoryBytes) },
    {
      key: "limit",
      title: "LIMIT",
      value: (item) => (item.memoryLimitBytes > 0 ? formatSize(item.memoryLimitBytes) : ""),
    },
    { key: "received", title: "NET IN", value: (item) => formatSize(item.networkReceivedBytes) },
    { key: "sent", title: "NET OUT", value: (item) => formatSize(item.networkSentBytes) },
    { key: "read", title: "DISK IN", value: (item) => formatSize(item.blockReadBytes), wide: true },
    {
      key: "written",
      title: "DISK OUT",
      value: (item) => formatSize(item.blockWrittenBytes),
      wide: true,
    },
    { key: "pids", title: "PIDS", value: (item) => String(item.pids) },
  ],
});

function sortByCpu(items: readonly UsageView[]): UsageView[] {
  return [...items].sort(
    (a, b) => b.cpuPercent - a.cpuPercent || a.instance.localeCompare(b.instance),
  );
}

/** The node needs two looks at an instance to know its CPU: its first readings may be empty. */
const EMPTY_READINGS_MAX = 3;

/** `fairlead top`: redraws on a terminal; one reading with --once, when piped, and for documents. */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const endless =
    !parsed.has("once") && (out.form === "jsonl" || (out.terminal.live && out.forPeople));
  let empty = 0;
  for await (const reading of api.lines<UsageReading>("GET", "usage", {
    query: { scope: findScope(context) },
  })) {
    if (reading.items.length === 0 && ++empty < EMPTY_READINGS_MAX) continue;
    if (endless && out.forPeople) process.stdout.write("\u001b[H\u001b[2J");
    const spans = reading.items.some(({ node }) => node !== undefined);
    const list = wrapItems("UsageList", sortByCpu(reading.items), reading.missing);
    await out.list(list, listUsage(spans));
    if (!endless) break;
  }
  return EXIT.ok;
}
