// SPDX-License-Identifier: Apache-2.0
// How fast the fabric is here and now: round trips to an agent, one at a time and many at once.
import type { Agent } from "@fairlead/sdk";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { withFabric } from "#cli/join-fabric.ts";
import { wrapItems, type ListView } from "#cli/output.ts";

/** One figure, in the form of `npm run bench -- NAME --json`. */
interface Figure {
  readonly bench: "fabric";
  readonly metric: "round_trip" | "answers";
  readonly unit: "ms" | "1/s";
  readonly subject: string;
  readonly p50: number;
  readonly p99: number;
  readonly n: number;
}

const FOR_MS = 4_000;
const WARM_UP_MS = 300;
const IN_FLIGHT = 64;
const SIZE_BYTES = 128;

function pickShare(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Pings with so many under way until the time is over; milliseconds that each took, in order of size. */
async function measure(
  own: Agent,
  agent: string,
  width: number,
  options: { readonly forMs: number; readonly sizeBytes: number; readonly signal: AbortSignal },
): Promise<readonly number[]> {
  const { forMs, sizeBytes, signal } = options;
  const endMs = performance.now() + forMs;
  const took: number[] = [];
  const keepAsking = async (): Promise<void> => {
    while (performance.now() < endMs && !signal.aborted)
      took.push((await own.ping(agent, sizeBytes, { signal })).tookMs);
  };
  await Promise.all(Array.from({ length: width }, keepAsking));
  return took.sort((a, b) => a - b);
}

function listFigures(): ListView<Figure> {
  const format = (value: number, unit: string): string =>
    unit === "ms" ? `${value.toFixed(3)} ms` : `${Math.round(value)} /s`;
  return {
    name: (figure) => figure.metric,
    empty: "nothing was measured",
    columns: [
      { key: "metric", title: "METRIC", value: ({ metric }) => metric },
      { key: "subject", title: "AGENT", value: ({ subject }) => subject },
      { key: "p50", title: "P50", value: ({ p50, unit }) => format(p50, unit) },
      { key: "p99", title: "P99", value: ({ p99, unit }) => format(p99, unit) },
      { key: "n", title: "N", value: ({ n }) => String(n) },
    ],
  };
}

/** `fairlead bench AGENT` */
export async function run(context: Context): Promise<number> {
  const { parsed, out, signal } = context;
  const [subject = ""] = parsed.arguments;
  const forMs = (parsed.durationMs("for") ?? FOR_MS) / 2;
  const sizeBytes = parsed.count("size") ?? SIZE_BYTES;
  const width = Math.max(1, parsed.count("in-flight") ?? IN_FLIGHT);
  return withFabric(context, async (own) => {
    await measure(own, subject, 1, { forMs: WARM_UP_MS, sizeBytes, signal });
    const alone = await measure(own, subject, 1, { forMs, sizeBytes, signal });
    const beganMs = performance.now();
    const together = await measure(own, subject, width, { forMs, sizeBytes, signal });
    const perSecond = together.length / ((performance.now() - beganMs) / 1_000);
    if (signal.aborted) return EXIT.interrupted;
    const base = { bench: "fabric", subject } as const;
    const figures: readonly Figure[] = [
      {
        ...base,
        metric: "round_trip",
        unit: "ms",
        p50: pickShare(alone, 0.5),
        p99: pickShare(alone, 0.99),
        n: alone.length,
      },
      {
        ...base,
        metric: "answers",
        unit: "1/s",
        p50: perSecond,
        p99: perSecond,
        n: together.length,
      },
    ];
    await out.list(wrapItems("FigureList", figures), listFigures());
    return EXIT.ok;
  });
}
