// SPDX-License-Identifier: Apache-2.0
// One error class with a closed set of codes. Each room lists its kinds of error in its own errors.ts.

/** The gRPC status names, so that the wire mapping is the identity. */
export type Code =
  | "canceled"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

const RETRYABLE: ReadonlySet<Code> = new Set([
  "unavailable",
  "deadline_exceeded",
  "resource_exhausted",
  "aborted",
]);

/** A documented kind of error: what it is called, why it happens, what to do. */
export interface ErrorKind {
  /** Stable number, `FL0301`. */
  readonly id: string;
  /** Stable word, `port-in-use`. */
  readonly slug: string;
  readonly code: Code;
  /** Why this happens, one sentence. */
  readonly cause: string;
  /** What to do, one sentence or command. */
  readonly remedy: string;
}

/** A place in a file that a person wrote. Lines and columns count from 1. */
export interface Location {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** What an error knows beyond its message. */
export interface ErrorOptions {
  readonly cause?: unknown;
  /** What is known, in the order to print: `{ "held by": "dockerd" }`. Never a secret. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
  /** Overrides the remedy of the kind when a better one is known. */
  readonly remedy?: string;
  readonly location?: Location;
}

/** Turns a table `{ slug: { id, code, cause, remedy } }` into kinds of error. */
export function defineErrors<T extends Record<string, Omit<ErrorKind, "slug">>>(
  table: T,
): { readonly [K in keyof T]: ErrorKind } {
  const entries = Object.entries(table).map(([slug, kind]) => [slug, { slug, ...kind }]);
  return Object.fromEntries(entries) as { readonly [K in keyof T]: ErrorKind };
}

/** Kinds that belong to no room. */
export const baseErrors = defineErrors({
  internal: {
    id: "FL0100",
    code: "internal",
    cause: "Fairlead met a state it was not written for",
    remedy: "report it with the output of `fairlead doctor --short`",
  },
  "invalid-argument": {
    id: "FL0101",
    code: "invalid_argument",
    cause: "A value does not have the form that is needed",
    remedy: "correct the value named in the message",
  },
  aborted: {
    id: "FL0102",
    code: "canceled",
    cause: "The caller gave up before the work was done",
    remedy: "run the command again",
  },
  timeout: {
    id: "FL0103",
    code: "deadline_exceeded",
    cause: "The other side did not answer in time",
    remedy: "see `fairlead doctor`, then try again",
  },
  overloaded: {
    id: "FL0104",
    code: "resource_exhausted",
    cause: "A bounded queue is full",
    remedy: "try again in a moment",
  },
});

/** The only class that Fairlead throws. `message` is a sentence without the code; `format` adds it. */
export class FairleadError extends Error {
  override readonly name = "FairleadError";
  readonly kind: ErrorKind;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  readonly remedy: string;
  readonly location: Location | undefined;

  constructor(kind: ErrorKind, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.facts = options.facts ?? {};
    this.remedy = options.remedy ?? kind.remedy;
    this.location = options.location;
  }

  get code(): Code {
    return this.kind.code;
  }

  /** Whether the same call may succeed later without a change. */
  get retryable(): boolean {
    return RETRYABLE.has(this.kind.code);
  }

  /** Any thrown value as a FairleadError; one that already is one passes through. */
  static from(thrown: unknown, kind: ErrorKind = baseErrors.internal): FairleadError {
    if (thrown instanceof FairleadError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new FairleadError(kind, message, { cause: thrown });
  }
}

/** True for a FairleadError of that kind. */
export function isKind(thrown: unknown, kind: ErrorKind): thrown is FairleadError {
  return thrown instanceof FairleadError && thrown.kind.id === kind.id;
}
