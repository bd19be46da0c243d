// SPDX-License-Identifier: Apache-2.0
// What may be said about routing: a strategy and what is put around it.

/** How an instance is chosen. */
export const STRATEGIES = [
  "ewma",
  "round-robin",
  "least-requests",
  "random-two",
  "locality",
  "hash",
] as const;
export type StrategyName = (typeof STRATEGIES)[number];

/** Times in ms, shares from 0 to 1; Infinity where there is no bound. */
export interface Policy {
  readonly strategy: StrategyName;
  /** Name of the header whose value is hashed, lower case; empty for other strategies. */
  readonly hashHeader: string;
  /** Repeated and hedged calls may add this share to the calls made. */
  readonly retryShare: number;
  /** A second instance is asked when the first took longer than this quantile of the answers so far; 0: never. */
  readonly hedgeQuantile: number;
  /** Failures in a row after which an instance is left out; Infinity: never. */
  readonly ejectAfter: number;
  /** How long it is left out the first time; the second time twice as long, and so on. */
  readonly ejectMs: number;
  /** No more than this share of the instances is left out at once. */
  readonly ejectedShareMax: number;
  /** Calls that may be with one instance at once. */
  readonly inFlightMax: number;
  /** How long a new instance takes to get its full share; 0: gets it at once. */
  readonly slowStartMs: number;
  /** When less than this share of the instances is well, all are used. */
  readonly panicShare: number;
  /** When less than this share of the near instances is well, calls spill over to farther ones. */
  readonly spillShare: number;
  /** An instance that its key is hashed to gets at most this many times the mean. */
  readonly hashBound: number;
}

/** What holds where nothing is said. */
export const POLICY_DEFAULT: Policy = {
  strategy: "ewma",
  hashHeader: "",
  retryShare: 0.1,
  hedgeQuantile: 0,
  ejectAfter: 5,
  ejectMs: 5_000,
  ejectedShareMax: 0.5,
  inFlightMax: Infinity,
  slowStartMs: 0,
  panicShare: 0,
  spillShare: 0.7,
  hashBound: 1.25,
};

type OptionKey = Exclude<keyof Policy, "strategy" | "hashHeader">;

/** How an option is written: `20%`, `5`, `p95`, `10s`. */
export type OptionForm = "share" | "count" | "quantile" | "duration";

export interface PolicyOption {
  readonly key: OptionKey;
  readonly form: OptionForm;
  /** Bounds of the value as it is kept. */
  readonly least: number;
  readonly most: number;
  /** What `off` means; undefined when it cannot be switched off. */
  readonly off?: number;
}

const DAY_MS = 86_400_000;

/** Options by the word that they are written with. */
export const POLICY_OPTIONS: ReadonlyMap<string, PolicyOption> = new Map<string, PolicyOption>([
  ["retry", { key: "retryShare", form: "share", least: 0, most: 1, off: 0 }],
  ["hedge", { key: "hedgeQuantile", form: "quantile", least: 0.5, most: 0.999, off: 0 }],
  ["eject", { key: "ejectAfter", form: "count", least: 1, most: 1_000, off: Infinity }],
  ["eject-time", { key: "ejectMs", form: "duration", least: 10, most: DAY_MS }],
  ["eject-max", { key: "ejectedShareMax", form: "share", least: 0, most: 1 }],
  ["breaker", { key: "inFlightMax", form: "count", least: 1, most: 1e6, off: Infinity }],
  ["slow-start", { key: "slowStartMs", form: "duration", least: 0, most: DAY_MS, off: 0 }],
  ["panic", { key: "panicShare", form: "share", least: 0, most: 1, off: 0 }],
  ["spill", { key: "spillShare", form: "share", least: 0.01, most: 1 }],
  ["bound", { key: "hashBound", form: "share", least: 1.01, most: 100 }],
]);
