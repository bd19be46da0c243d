// SPDX-License-Identifier: Apache-2.0
// State is a word and a shape too, never colour alone.
import type { DecisionOutcome } from "@fairlead/protocol/decision.ts";
import type { ServiceState } from "@fairlead/protocol/views.ts";
import { makePrintable } from "./printable.ts";

export type Tone = "good" | "warn" | "bad" | "dim" | "bold" | "plain";

const CODES: Readonly<Record<Tone, string>> = {
  good: "32",
  warn: "33",
  bad: "31",
  dim: "2",
  bold: "1",
  plain: "",
};

/** Paints text for a stream, or leaves it. */
export interface Style {
  /** The text, painted; control signs in it are made harmless. */
  paint(text: string, tone: Tone): string;
  /** `✓`, `!`, `✗`, `?`, or their ASCII. */
  mark(tone: Tone): string;
  /** Non-ASCII signs replaced when the locale cannot show them. */
  plain(text: string): string;
}

const ASCII: readonly [RegExp, string][] = [
  [/✓/g, "+"],
  [/✗/g, "x"],
  [/→/g, "->"],
  [/·/g, "-"],
  [/…/g, "..."],
  [/–/g, "-"],
];

/** A style for a stream that takes colour or not, Unicode or not. */
export function createStyle(color: boolean, unicode: boolean): Style {
  const plain = (text: string) =>
    unicode ? text : ASCII.reduce((rest, [sign, instead]) => rest.replace(sign, instead), text);
  return {
    plain,
    paint(text, tone) {
      const safe = makePrintable(text);
      return color && tone !== "plain" ? `\u001b[${CODES[tone]}m${safe}\u001b[0m` : safe;
    },
    mark: (tone) =>
      plain({ good: "✓", warn: "!", bad: "✗", dim: "?", bold: "·", plain: "·" }[tone]),
  };
}

const TONES: Readonly<Record<ServiceState, Tone>> = {
  ok: "good",
  completed: "good",
  starting: "warn",
  updating: "warn",
  waiting: "warn",
  healing: "warn",
  removing: "warn",
  paused: "warn",
  degraded: "bad",
  quarantined: "bad",
  stopped: "dim",
  unknown: "dim",
};

/** How a service's state looks. */
export function toneOfService(state: ServiceState): Tone {
  return TONES[state];
}

/** How an instance looks, by the engine's word and its health. */
export function toneOfInstance(state: string, health: string, exitCode = 0): Tone {
  if (state === "running")
    return health === "unhealthy" ? "bad" : health === "starting" ? "warn" : "good";
  if (state === "exited" || state === "dead") return exitCode === 0 ? "dim" : "bad";
  return "warn";
}

const TONE_OF_OUTCOME: Readonly<Record<DecisionOutcome, Tone>> = {
  pending: "warn",
  done: "good",
  failed: "bad",
  interrupted: "warn",
  observed: "dim",
};

/** How the end of a decision looks. */
export function toneOfOutcome(outcome: DecisionOutcome): Tone {
  return TONE_OF_OUTCOME[outcome];
}
