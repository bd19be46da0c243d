// SPDX-License-Identifier: Apache-2.0
// A contract: what can be asked, and what is answered. Plain data that both sides import; nothing is generated.
import { FabricError } from "@fairlead/fabric/errors.ts";
import { checkRoute } from "./choosing.ts";
import type { StandardSchema } from "./standard-schema.ts";

/** A method that answers once. */
export interface Rpc<
  In extends StandardSchema = StandardSchema,
  Out extends StandardSchema = StandardSchema,
> {
  readonly kind: "rpc";
  readonly in: In;
  readonly out: Out;
  /** Asking twice does no harm, so the SDK may try again. */
  readonly idempotent: boolean;
}

/** A method that answers with a stream of items. */
export interface Streaming<
  In extends StandardSchema = StandardSchema,
  Item extends StandardSchema = StandardSchema,
> {
  readonly kind: "stream";
  readonly in: In;
  readonly item: Item;
}

// eslint-disable-next-line typescript/no-explicit-any -- a bound that every schema fits, whatever it takes and gives
type AnySchema = StandardSchema<any, any>;
export type Method = Rpc<AnySchema, AnySchema> | Streaming<AnySchema, AnySchema>;
export type Methods = Readonly<Record<string, Method>>;

export interface Contract<M extends Methods = Methods> {
  readonly name: string;
  /** Semantic version: a client asks those that serve the same major version, not older. */
  readonly version: string;
  readonly methods: M;
  /** How callers of it choose an instance, as in `fairlead.route`; what the service says by default. */
  readonly route?: string;
}

export interface ContractOptions {
  /** `ewma`, `least-requests hedge=p95` …: see docs/fabric.md. It comes before what the service says of itself. */
  readonly route?: string;
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const METHOD = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;
const VERSION = /^\d+\.\d+\.\d+$/;

function refuse(message: string): never {
  throw new FabricError("invalid_argument", message, { reason: "contract" });
}

/** Declares a method that answers once. */
export function rpc<In extends AnySchema, Out extends AnySchema>(options: {
  readonly in: In;
  readonly out: Out;
  readonly idempotent?: boolean;
}): Rpc<In, Out> {
  return { kind: "rpc", in: options.in, out: options.out, idempotent: options.idempotent ?? false };
}

/** Declares a method that answers with a stream. */
export function stream<In extends AnySchema, Item extends AnySchema>(options: {
  readonly in: In;
  readonly item: Item;
}): Streaming<In, Item> {
  return { kind: "stream", in: options.in, item: options.item };
}

/** Declares a contract. Throws `invalid_argument` for a name, version, method or route that has not the form. */
export function contract<M extends Methods>(
  name: string,
  version: string,
  methods: M,
  options: ContractOptions = {},
): Contract<M> {
  if (!NAME.test(name)) refuse(`"${name}" is no contract's name; use a-z, 0-9 and -`);
  if (!VERSION.test(version)) refuse(`"${version}" is no version; write 1.2.0`);
  for (const method of Object.keys(methods))
    if (!METHOD.test(method)) refuse(`"${method}" is no method's name; use letters and digits`);
  const { route } = options;
  if (route === undefined) return { name, version, methods };
  checkRoute(route);
  return { name, version, methods, route };
}
