// SPDX-License-Identifier: Apache-2.0
// Findings that somebody knows of: one problem of one object, until a day. They belong to the user, not to the node.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import type { Context, World } from "#cli/context.ts";
import { cliErrors, doctorErrors } from "#cli/errors.ts";
import type { Finding } from "./check.ts";

/** One problem of one object that is not to be complained of. */
export interface Silence {
  /** Which problem: `FL0857`. */
  readonly id: string;
  /** A check's name, or what the finding names: `vxlan`, `shop/web`. */
  readonly object: string;
  /** Milliseconds since 1970; absent for this run only. */
  readonly untilMs?: number;
}

const DAY_MS = 86_400_000;
const UNTIL_MAX_MS = 366 * DAY_MS;
const KEPT_MAX = 1_000;

/** The file; it need not exist. */
export function locateSilences(world: Pick<World, "env">): string {
  const base = world.env["XDG_STATE_HOME"] ?? `${world.env["HOME"] ?? "/nonexistent"}/.local/state`;
  return `${base}/fairlead/silences.json`;
}

function isSilence(value: unknown): value is Required<Silence> {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    typeof value.id === "string" &&
    "object" in value &&
    typeof value.object === "string" &&
    "untilMs" in value &&
    typeof value.untilMs === "number" &&
    Math.abs(value.untilMs) <= 8.64e15
  );
}

/** What is kept and not over; nothing when there is no file or it is not one. */
function readSilences(world: World, nowMs: number): readonly Required<Silence>[] {
  try {
    const kept: unknown = JSON.parse(readFileSync(locateSilences(world), "utf8"));
    if (!Array.isArray(kept)) return [];
    return kept.filter(isSilence).filter((silence) => silence.untilMs > nowMs);
  } catch {
    return [];
  }
}

function keepSilences(world: World, silences: readonly Required<Silence>[]): void {
  const path = locateSilences(world);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(silences.slice(-KEPT_MAX)), { mode: 0o600 });
    renameSync(draft, path);
  } catch (thrown) {
    throw new FairleadError(cliErrors["not-kept"], "the end date cannot be kept", {
      cause: thrown,
      facts: { file: path, because: thrown instanceof Error ? thrown.message : String(thrown) },
    });
  }
}

function parseSilence(word: string): Silence {
  const at = word.indexOf("=");
  const [id, object] = [word.slice(0, at), word.slice(at + 1)];
  const ids = Object.values(doctorErrors).map((kind) => kind.id);
  if (object === "") {
    throw new FairleadError(cliErrors["bad-value"], `--skip ${word} names no object`, {
      remedy: `write for example --skip ${id}=vxlan or --skip ${id}=shop/web`,
    });
  }
  if (ids.includes(id)) return { id, object };
  const nearest = findNearest(id, ids);
  throw new FairleadError(cliErrors["bad-value"], `doctor has no finding ${id}`, {
    facts: { findings: `${ids[0]} to ${ids.at(-1)}` },
    ...(nearest === undefined ? {} : { remedy: `did you mean ${nearest}?` }),
  });
}

function readUntil(context: Context, nowMs: number): number | undefined {
  const text = context.parsed.text("until");
  if (text === undefined) return undefined;
  const aheadMs = parseDuration(text);
  if (aheadMs <= UNTIL_MAX_MS) return nowMs + aheadMs;
  throw new FairleadError(cliErrors["bad-value"], `--until does not take "${text}"`, {
    facts: { takes: "at most 366d" },
  });
}

/**
 * The silences in force: those kept, and those of `words` (`FL0857=vxlan`). With --until the latter are kept, with
 * `--until 0` they are lifted. Throws FL0603, FL0605 and FL0620.
 */
export function settleSilences(
  context: Context,
  words: readonly string[],
  nowMs: number,
): readonly Silence[] {
  const given = words.map(parseSilence);
  const untilMs = readUntil(context, nowMs);
  const same = (a: Silence, b: Silence) => a.id === b.id && a.object === b.object;
  const others = readSilences(context, nowMs).filter((kept) => !given.some((g) => same(g, kept)));
  if (untilMs === undefined) return [...others, ...given];
  if (given.length === 0) {
    throw new FairleadError(cliErrors["missing-argument"], "--until says of nothing how long", {
      remedy: "say what to leave out until then: --skip FL0857=vxlan --until 2d",
    });
  }
  const whole = [
    ...others,
    ...given.map((g) => ({ ...g, untilMs })).filter((silence) => silence.untilMs > nowMs),
  ];
  keepSilences(context, whole);
  return whole;
}

/**
 * The finding without what is silenced: whole when the check itself is, or all the objects that it names; else without
 * their facts.
 */
export function silence(
  finding: Finding,
  checkName: string,
  silences: readonly Silence[],
): Finding {
  const objects = silences.filter((s) => s.id === finding.kind?.id).map((s) => s.object);
  if (objects.length === 0) return finding;
  const hushed: Finding = { ...finding, verdict: "silenced" };
  if (objects.includes(checkName)) return hushed;
  const { facts = [], factObjects = [] } = finding;
  const kept = facts.filter((_, at) => !objects.includes(factObjects[at] ?? ""));
  if (kept.length === facts.length) return finding;
  if (kept.length === 0) return hushed;
  return {
    ...finding,
    text: `${finding.text}, ${facts.length - kept.length} of them silenced`,
    facts: kept,
  };
}
