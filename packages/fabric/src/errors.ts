// SPDX-License-Identifier: Apache-2.0
// The error of the fabric, the same for agents and nodes and on the wire (message Status of fabric.proto).

/** The gRPC status codes by name, in the order of their numbers. */
export const CODES = [
  "ok",
  "canceled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
] as const;

/** Name of a gRPC status code other than `ok`. */
export type FabricCode = Exclude<(typeof CODES)[number], "ok">;

const RETRYABLE: ReadonlySet<FabricCode> = new Set([
  "unavailable",
  "resource_exhausted",
  "aborted",
]);

export interface FabricErrorOptions {
  /** A stable word for programs: `no-link`, `too-large`. */
  readonly reason?: string;
  /** Overrides what follows from the code. */
  readonly retryable?: boolean;
  readonly facts?: Readonly<Record<string, string>>;
  /** Whether it was said before anything was begun; false by default. */
  readonly unbegun?: boolean;
  readonly cause?: unknown;
}

/** The reason of who takes no more because it leaves. */
export const DRAINING = "draining";

const BRAND = Symbol.for("fairlead.fabric.error");

/** What a call, a stream or a message fails with. */
export class FabricError extends Error {
  override readonly name = "FabricError";
  readonly code: FabricCode;
  readonly reason: string;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;
  readonly facts: Readonly<Record<string, string>>;
  /** True when whoever was asked refused before it began anything, so that asking another does no harm. */
  readonly unbegun: boolean;
  readonly [BRAND] = true;

  constructor(code: FabricCode, message: string, options: FabricErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reason = options.reason ?? code.replaceAll("_", "-");
    this.retryable = options.retryable ?? RETRYABLE.has(code);
    this.facts = options.facts ?? {};
    this.unbegun = options.unbegun ?? false;
  }

  /** The policy that refused, `shop/default-deny`; undefined where none did. */
  get policy(): string | undefined {
    return this.facts["policy"];
  }

  /** Where that policy is written, `fairlead.yaml:41`. */
  get at(): string | undefined {
    return this.facts["at"];
  }

  /** The decision that stands behind it, for `fairlead why`. */
  get decision(): string | undefined {
    return this.facts["decision"];
  }

  /** Copies of the SDK multiply in one process; all their errors are alike. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  /** Any thrown value as a FabricError; one that already is one passes through. */
  static from(thrown: unknown, code: FabricCode = "unknown"): FabricError {
    if (thrown instanceof FabricError) return thrown;
    if (thrown instanceof Error && thrown.name === "AbortError")
      return new FabricError("canceled", thrown.message, { cause: thrown });
    if (thrown instanceof Error && thrown.name === "TimeoutError")
      return new FabricError("deadline_exceeded", thrown.message, { cause: thrown });
    return new FabricError(code, thrown instanceof Error ? thrown.message : String(thrown), {
      cause: thrown,
    });
  }
}

/** The number of a code on the wire. */
export function numberOfCode(code: FabricCode): number {
  return CODES.indexOf(code);
}

/** The code of a number; `unknown` for one that gRPC does not have. */
export function codeOfNumber(number: number): FabricCode {
  const code = CODES[number];
  return code === undefined || code === "ok" ? "unknown" : code;
}
