// SPDX-License-Identifier: Apache-2.0
// One fault, what it showed, and what holds of every fault: no wrong answer, no singleton twice, all as wanted in the end.
import { setTimeout as sleep } from "node:timers/promises";
import { formatDuration } from "#base/duration.ts";
import { summarize } from "./call.ts";
import { atMost, tell, type Figure } from "./figure.ts";
import { nowMs, SCOPE, SERVICES, WANTED, type Ground } from "./ground.ts";
import { judgeDenied } from "./judge-names.ts";

export interface FaultCase {
  readonly name: string;
  /** Rows of the table of reliability that it shows. */
  readonly rows: string;
  /** What befalls, in one sentence. */
  readonly about: string;
  /** How many hosts it takes at least. */
  readonly hosts: number;
  /** Whether its fleet is one of its own, which begins with a second build. */
  readonly isOfTwoBuilds?: boolean;
  run(ground: Ground): Promise<readonly Figure[]>;
}

/** What became of one case. */
export interface Outcome {
  readonly name: string;
  readonly rows: string;
  readonly about: string;
  readonly figures: readonly Figure[];
  /** Service to the share of its calls that were answered rightly, 0 to 1. */
  readonly availability: Readonly<Record<string, number>>;
  readonly wrong: number;
  /** How long all took to be as wanted once the case was over, ms; undefined when it never was. */
  readonly calmMs: number | undefined;
}

/** Of a log, characters. */
const LOG_SHOWN = 3_000;
/** So long calls go on after all is well. */
const AFTER_MS = 1_000;

/** What the client saw, by service, and how often it was told something wrong. */
function judgeCalls({ client, copies }: Ground, fromMs: number, toMs: number) {
  const shares: Record<string, number> = {};
  const figures = SERVICES.map((service) => {
    const seen = summarize(client.calls, service, fromMs, toMs);
    const { count, availability, silenceMs, failed } = seen;
    shares[service] = availability;
    const share = `${(availability * 100).toFixed(2)} % of ${count} calls`;
    const after = (ms: number) => formatDuration(Math.round((ms - fromMs) / 100) * 100);
    const because =
      failed === undefined
        ? ""
        : `; not answered from ${after(failed.firstMs)} to ${after(failed.lastMs)}, mostly: ${failed.detail}`;
    const silence = formatDuration(Math.round(silenceMs / 10) * 10);
    return tell(service, `${share}, longest without an answer ${silence}${because}`);
  });
  const own = client.calls.filter(({ sentMs }) => sentMs >= fromMs && sentMs < toMs);
  const wrong = own.filter(({ outcome }) => outcome === "wrong");
  const detail = wrong[0] === undefined ? "" : ` (${wrong[0].detail})`;
  const held: readonly Figure[] = [
    ...figures,
    judgeDenied(client.answers, fromMs, toMs),
    { ...atMost("wrong answers", wrong.length, 0), value: `${wrong.length}${detail}` },
    atMost("singletons at once", copies.most("one", fromMs), WANTED.one),
  ];
  return { figures: held, availability: shares, wrong: wrong.length };
}

/** What people would look at. */
async function showWhy({ nodes }: Ground): Promise<void> {
  const of = ["--scope", SCOPE];
  const shown = [
    ["nodes"],
    ["ps", ...of],
    ["services", ...of],
    ["decisions", ...of, "--limit", "60"],
  ];
  for (const words of shown) {
    const said = await nodes[0]?.cli(...words);
    process.stderr.write(`$ fairlead ${words.join(" ")}\n${said?.stdout}${said?.stderr}\n`);
  }
  for (const { host, readLog } of nodes)
    process.stderr.write(`log of ${host.name}\n${readLog().slice(-LOG_SHOWN)}\n`);
}

/** Runs one, once the fleet is at rest; it ends with all as it was wanted, or says that it is not. */
export async function runCase(one: FaultCase, ground: Ground): Promise<Outcome> {
  const { name, rows, about } = one;
  await ground.rest();
  const fromMs = nowMs();
  let figures: readonly Figure[] = [];
  let calmMs: number | undefined;
  try {
    figures = await one.run(ground);
    calmMs = await ground.calm();
    figures = [...figures, tell("all as wanted again after", formatDuration(Math.round(calmMs)))];
    await sleep(AFTER_MS);
  } catch (thrown) {
    const value = thrown instanceof Error ? thrown.message : String(thrown);
    figures = [...figures, { what: "failed", value, goal: "", holds: false }];
  }
  const { availability, wrong, figures: seen } = judgeCalls(ground, fromMs, nowMs());
  const all = [...figures, ...seen];
  if (all.some(({ holds }) => !holds)) await showWhy(ground);
  return { name, rows, about, figures: all, availability, wrong, calmMs };
}

/** As people read it. */
export function renderOutcome({ name, rows, about, figures }: Outcome): string {
  const width = Math.max(...figures.map(({ what }) => what.length));
  const lines = figures.map(({ what, value, goal, holds }) => {
    const mark = holds ? (goal === "" ? " " : "✓") : "✗";
    return `  ${mark} ${what.padEnd(width)}  ${value}${goal === "" ? "" : `  (${goal})`}`;
  });
  return [`${name}  ${rows}`, `  ${about}`, ...lines].join("\n");
}
