// SPDX-License-Identifier: Apache-2.0
// The face of the rights room: whether an agent may do something, by policies in Cedar.
import type { RightsContext, RightsOutcome, RightsQuestion } from "@fairlead/protocol/rights.ts";

/** One agent that wants something of another, or of a subject; who it is was proven before. */
export type Ask = RightsQuestion;

/** One policy by its name. */
export interface NamedPolicy {
  readonly name: string;
  readonly text: string;
}

/** What the policies say. */
export interface Ruling {
  readonly outcome: RightsOutcome;
  readonly policies: readonly string[];
  readonly because: string;
}

/** Policies of one scope, ready to be asked. Deciding waits for nothing and changes nothing. */
export interface Rights extends Disposable {
  readonly names: readonly string[];
  /** `granted`: a person has said yes to what asks. */
  decide(ask: Ask, context: RightsContext, granted: boolean): Ruling;
  /** The same without the cache. */
  decideAnew(ask: Ask, context: RightsContext, granted: boolean): Ruling;
}

/** Compiles policies. */
export interface RightsCompiler {
  /** Splits a text into its policies. Throws FL2101 `rights-malformed`. */
  read(name: string, text: string): readonly NamedPolicy[];
  /** Throws FL2101. */
  compile(policies: readonly NamedPolicy[]): Rights;
}
