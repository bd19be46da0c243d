// SPDX-License-Identifier: Apache-2.0
// A state is a word and a shape; colour only repeats what they say.
import type { DecisionOutcome } from "@fairlead/protocol/decision.ts";
import type { ServiceState } from "@fairlead/protocol/views.ts";
import type { ReactNode } from "react";

type Shape = "check" | "half" | "warn" | "cross" | "square" | "pause" | "question";
type Tone = "good" | "moving" | "warn" | "bad" | "off";

const SHAPES: Readonly<Record<Shape, ReactNode>> = {
  check: (
    <>
      <circle cx="8" cy="8" r="7" />
      <path className="ink" d="M4.5 8.3l2.4 2.4 4.6-5" />
    </>
  ),
  half: (
    <>
      <circle cx="8" cy="8" r="6.2" className="line" />
      <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" />
    </>
  ),
  warn: (
    <>
      <path d="M8 .8l7.4 13.7H.6z" />
      <path className="ink" d="M8 5.4v4M8 11.6v.6" />
    </>
  ),
  cross: (
    <>
      <path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" />
      <path className="ink" d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2" />
    </>
  ),
  square: <rect x="2.5" y="2.5" width="11" height="11" rx="1.5" className="line" />,
  pause: <path d="M3.5 2h3v12h-3zM9.5 2h3v12h-3z" />,
  question: (
    <>
      <circle cx="8" cy="8" r="6.2" className="line" />
      <path className="line" d="M6 6.3a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.3M8 11.4v.6" />
    </>
  ),
};

const SERVICE: Readonly<Record<ServiceState, readonly [Shape, Tone]>> = {
  ok: ["check", "good"],
  completed: ["check", "good"],
  starting: ["half", "moving"],
  updating: ["half", "moving"],
  waiting: ["half", "moving"],
  healing: ["half", "warn"],
  degraded: ["warn", "warn"],
  quarantined: ["cross", "bad"],
  stopped: ["square", "off"],
  removing: ["square", "off"],
  paused: ["pause", "off"],
  unknown: ["question", "off"],
};

const OUTCOME: Readonly<Record<DecisionOutcome, readonly [Shape, Tone]>> = {
  done: ["check", "good"],
  pending: ["half", "moving"],
  failed: ["cross", "bad"],
  interrupted: ["warn", "warn"],
  observed: ["question", "off"],
};

function Mark({ shape, tone, word }: { shape: Shape; tone: Tone; word: string }): ReactNode {
  return (
    <span className={`mark ${tone}`}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        {SHAPES[shape]}
      </svg>
      {word}
    </span>
  );
}

/** A service's state. */
export function StateMark({ state }: { state: ServiceState }): ReactNode {
  const [shape, tone] = SERVICE[state];
  return <Mark shape={shape} tone={tone} word={state} />;
}

/** A decision's outcome. */
export function OutcomeMark({ outcome }: { outcome: DecisionOutcome }): ReactNode {
  const [shape, tone] = OUTCOME[outcome];
  return <Mark shape={shape} tone={tone} word={outcome} />;
}

/** Yes, no or unknown of a part of the node. */
export function HealthMark({ good, word }: { good: boolean | undefined; word: string }): ReactNode {
  if (good === undefined) return <Mark shape="question" tone="off" word={word} />;
  return good ? (
    <Mark shape="check" tone="good" word={word} />
  ) : (
    <Mark shape="cross" tone="bad" word={word} />
  );
}

/** True for states that need nobody. */
export function isQuiet(state: ServiceState): boolean {
  return state === "ok" || state === "completed" || state === "stopped";
}
