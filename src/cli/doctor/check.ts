// SPDX-License-Identifier: Apache-2.0
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import type { NodeStatus, ServiceView } from "@fairlead/protocol/views.ts";
import type { ErrorKind } from "#base/errors.ts";
import type { EngineAnswer } from "./ask-engine.ts";

/** ok: as it should be. warn: works, could be better. fail: something will not work. missing: a feature is not there. unknown: could not be tested. silenced: known, and not to be complained of. */
export type Verdict = "ok" | "warn" | "fail" | "missing" | "unknown" | "silenced";

/** What one test found. */
export interface Finding {
  readonly verdict: Verdict;
  /** A few words: `overlay2`, `disk 41 % used`. */
  readonly text: string;
  /** Unless ok: which problem it is. */
  readonly kind?: ErrorKind;
  /** What was measured. */
  readonly facts?: readonly string[];
  /** What each fact is about, where facts are about several objects: `shop/web`. */
  readonly factObjects?: readonly string[];
}

/** What tests may look at; gathered once. */
export interface Evidence {
  readonly engine: EngineAnswer;
  readonly node: NodeStatus | undefined;
  readonly services: readonly ServiceView[];
  /** Undefined where no node says them; then why, where one has answered. */
  readonly identities: readonly IdentityView[] | undefined;
  readonly identitiesProblem?: string | undefined;
  /** What of policies does not hold on the node; undefined where it does not say. */
  readonly unheld: readonly string[] | undefined;
  readonly socket: string;
  readonly stateDir: string;
  readonly listen: string;
  readonly uid: number;
}

/** One test that really runs. */
export interface Check {
  readonly group: "docker" | "kernel" | "net" | "host" | "node" | "network" | "path";
  /** Short name, for --only and --skip. */
  readonly name: string;
  readonly run: (evidence: Evidence) => Promise<Finding> | Finding;
}

/** A finding that all is as it should be. */
export function pass(text: string): Finding {
  return { verdict: "ok", text };
}

/** A finding that something is not. */
export function complain(
  verdict: Exclude<Verdict, "ok" | "silenced">,
  kind: ErrorKind,
  text: string,
  facts: readonly string[] = [],
): Finding {
  return { verdict, kind, text, facts };
}

/** A finding that a test could not run, and why. */
export function skip(text: string): Finding {
  return { verdict: "unknown", text };
}
