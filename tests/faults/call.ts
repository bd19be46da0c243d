// SPDX-License-Identifier: Apache-2.0
// What a client saw: one call, and many of them put together. Times are the wall clock's, in milliseconds.

/** Where an instance answers. */
export interface Place {
  /** Name of its host. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

/** Service to where its instances answer. */
export type Places = Readonly<Record<string, readonly Place[]>>;

/** One call, with the further tries that a client makes. `wrong`: somebody answered who is not meant, or other than asked. */
export interface Call {
  readonly service: string;
  readonly sentMs: number;
  readonly endMs: number;
  /** Hosts that were tried. */
  readonly tried: readonly string[];
  readonly outcome: "ok" | "failed" | "wrong";
  /** What was answered that is wrong, or why nothing was. */
  readonly detail: string;
}

export interface Summary {
  readonly service: string;
  readonly count: number;
  /** Answered rightly, from 0 to 1. */
  readonly availability: number;
  readonly wrong: number;
  /** Calls that needed a second try. */
  readonly again: number;
  /** The longest time in which no call was answered. */
  readonly silenceMs: number;
  /** What failed calls ended with most often, and when the first and the last of them were sent; undefined when none failed. */
  readonly failed: { detail: string; firstMs: number; lastMs: number } | undefined;
}

/** Of several texts the one that comes most often. */
function findCommonest(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), ["", 0] as const)[0];
}

function describeFailures(failed: readonly Call[]): Summary["failed"] {
  if (failed.length === 0) return undefined;
  const sent = failed.map(({ sentMs }) => sentMs);
  const detail = findCommonest(failed.map((call) => call.detail));
  return { detail, firstMs: Math.min(...sent), lastMs: Math.max(...sent) };
}

/** Puts together the calls of one service that were sent in that time. */
export function summarize(
  calls: readonly Call[],
  service: string,
  fromMs: number,
  toMs: number,
): Summary {
  const own = calls.filter(
    (call) => call.service === service && call.sentMs >= fromMs && call.sentMs < toMs,
  );
  const good = own.filter(({ outcome }) => outcome === "ok");
  // One after the other: hours of calls are too many for the arguments of a function.
  const times = [...good.map(({ endMs }) => endMs).sort((a, b) => a - b), toMs];
  let [silenceMs, lastMs] = [0, fromMs];
  for (const at of times) [silenceMs, lastMs] = [Math.max(silenceMs, at - lastMs), at];
  return {
    service,
    count: own.length,
    availability: own.length === 0 ? Number.NaN : good.length / own.length,
    wrong: own.filter(({ outcome }) => outcome === "wrong").length,
    again: own.filter(({ tried }) => tried.length > 1).length,
    silenceMs,
    failed: describeFailures(own.filter(({ outcome }) => outcome === "failed")),
  };
}
