// SPDX-License-Identifier: Apache-2.0
import type { Context } from "./context.ts";
import type { Flag } from "./flags.ts";

/** A command's module. `run` returns the exit code. */
export interface CommandModule {
  readonly run: (context: Context) => Promise<number>;
}

export interface Argument {
  readonly name: string;
  readonly required: boolean;
  readonly many: boolean;
  /** What completion offers; a list is all that it takes. */
  readonly value?: "service" | "scope" | "command" | readonly string[];
  /** First words of the command that take it; all by default. */
  readonly after?: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly group: "See" | "Ask" | "Talk" | "Change" | "Dig" | "Set up" | "Admin";
  readonly summary: string;
  readonly arguments: readonly Argument[];
  readonly flags: readonly Flag[];
  /** Whether it can change anything. */
  readonly writes: boolean;
  readonly hidden?: boolean;
  /** What people type most, without `fairlead`, and what that does. */
  readonly examples?: readonly (readonly [words: string, does: string])[];
  readonly load: () => Promise<CommandModule>;
}

/** One object: a service, instance, scope or decision. */
export const OBJECT: Argument = { name: "object", required: true, many: false, value: "service" };
/** Any number of services. */
export const SERVICES: Argument = {
  name: "service",
  required: false,
  many: true,
  value: "service",
};
