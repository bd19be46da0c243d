// SPDX-License-Identifier: Apache-2.0
// A client typed by its contract.
import { FabricError } from "@fairlead/fabric/errors.ts";
import { decodeJson, encodeJson } from "@fairlead/fabric/json.ts";
import type { Calling, CallOptions, Request } from "./calling.ts";
import type { Contract, Method, Methods, Rpc, Streaming } from "./contract.ts";
import { validate, type InputOf, type OutputOf } from "./standard-schema.ts";

/** An answer or why there is none. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: FabricError };

interface CallRpc<In, Out> {
  (input: In, options?: CallOptions): Promise<Out>;
  /** Gives the error as a value. */
  try(input: In, options?: CallOptions): Promise<Outcome<Out>>;
}

/** One function for each method. */
export type Client<M extends Methods> = {
  readonly [K in keyof M]: M[K] extends Rpc<infer In, infer Out>
    ? CallRpc<InputOf<In>, OutputOf<Out>>
    : M[K] extends Streaming<infer In, infer Item>
      ? (input: InputOf<In>, options?: CallOptions) => AsyncGenerator<OutputOf<Item>>
      : never;
};

/** Makes the client of a contract. */
export function createClient<M extends Methods>(
  contract: Contract<M>,
  calling: Calling,
  agent: string | undefined,
): Client<M> {
  const { name: contractName, version, route } = contract;
  const whom = agent === undefined ? { contract: contractName, version } : { agent };
  const target = { ...whom, route };
  const functions = Object.entries(contract.methods).map(([name, method]) => {
    const what = `${contractName}/${name}`;
    const request = (input: unknown, options: CallOptions): Request => ({
      target,
      method: what,
      payload: encodeJson(input),
      idempotent: method.kind === "rpc" && method.idempotent,
      options,
    });
    return [name, bind(method, what, calling, request)];
  });
  return Object.fromEntries(functions) as Client<M>;
}

type MakeRequest = (input: unknown, options: CallOptions) => Request;

function bind(method: Method, what: string, calling: Calling, request: MakeRequest): unknown {
  if (method.kind === "stream") {
    return async function* (input: unknown, options: CallOptions = {}) {
      for await (const bytes of calling.stream(request(input, options)))
        yield await validate(method.item, decodeJson(bytes), `an item of ${what}`);
    };
  }
  const call = async (input: unknown, options: CallOptions = {}): Promise<unknown> => {
    const bytes = await calling.call(request(input, options));
    return validate(method.out, decodeJson(bytes), `the answer of ${what}`);
  };
  return Object.assign(call, {
    async try(input: unknown, options: CallOptions = {}): Promise<Outcome<unknown>> {
      try {
        return { ok: true, value: await call(input, options) };
      } catch (thrown) {
        return { ok: false, error: FabricError.from(thrown) };
      }
    },
  });
}
