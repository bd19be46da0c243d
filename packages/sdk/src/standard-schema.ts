// SPDX-License-Identifier: Apache-2.0
// The interface by which any validation library is used (https://standardschema.dev). Types only, and one function.
import { FabricError } from "@fairlead/fabric/errors.ts";

/** What a validator has to be: zod, valibot, arktype and others are. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Result<Output> | Promise<Result<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

type Result<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema takes. */
export type InputOf<S> = S extends StandardSchema<infer Input, unknown> ? Input : never;
/** What a schema gives. */
export type OutputOf<S> =
  S extends StandardSchema<never, infer Output>
    ? Output
    : S extends StandardSchema<infer _, infer Output>
      ? Output
      : never;

function describeIssue({ message, path }: Issue): string {
  if (path === undefined || path.length === 0) return message;
  const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
  return `${keys.join(".")}: ${message}`;
}

/** The value as the schema gives it. Rejects with `invalid_argument`, naming `what` and each issue. */
export async function validate<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
  what: string,
): Promise<Output> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  throw new FabricError(
    "invalid_argument",
    `${what} does not fit: ${result.issues.map(describeIssue).join("; ")}`,
    { reason: "schema" },
  );
}
