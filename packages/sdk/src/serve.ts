// SPDX-License-Identifier: Apache-2.0
// Handlers typed by their contract, as the methods that an agent serves.
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Contract, Methods, Rpc, Streaming } from "./contract.ts";
import type { CallContext, ServedMethod } from "./serving.ts";
import { validate, type InputOf, type OutputOf } from "./standard-schema.ts";
import { iterateInTrace, runInTrace } from "./tracing.ts";

/** One function for each method: input as the schema gives it, output as the schema takes it. */
export type Handlers<M extends Methods> = {
  readonly [K in keyof M]: M[K] extends Rpc<infer In, infer Out>
    ? (input: OutputOf<In>, context: CallContext) => Promise<InputOf<Out>> | InputOf<Out>
    : M[K] extends Streaming<infer In, infer Item>
      ? (input: OutputOf<In>, context: CallContext) => AsyncIterable<InputOf<Item>>
      : never;
};

type AnyHandler = (input: unknown, context: CallContext) => unknown;

/** Checks what goes in and what comes out of each handler. Throws `invalid_argument` when one is missing. */
export function bindHandlers<M extends Methods>(
  contract: Contract<M>,
  handlers: Handlers<M>,
): ReadonlyMap<string, ServedMethod> {
  return new Map(
    Object.entries(contract.methods).map(([name, method]) => {
      const handler = (handlers as Readonly<Record<string, AnyHandler | undefined>>)[name];
      if (handler === undefined)
        throw new FabricError("invalid_argument", `${contract.name} has no handler for ${name}`);
      const call: AnyHandler = (input, context) => handler.call(handlers, input, context);
      const what = `${contract.name}/${name}`;
      return [
        name,
        method.kind === "rpc" ? bindRpc(method, call, what) : bindStream(method, call, what),
      ];
    }),
  );
}

function bindRpc(method: Rpc, handler: AnyHandler, what: string): ServedMethod {
  return {
    kind: "rpc",
    async answer(value, context) {
      const input = await validate(method.in, value, `the input of ${what}`);
      return asInternal(
        validate(
          method.out,
          await runInTrace(context.headers, () => handler(input, context)),
          `the answer of ${what}`,
        ),
      );
    },
  };
}

function bindStream(method: Streaming, handler: AnyHandler, what: string): ServedMethod {
  return {
    kind: "stream",
    async *answer(value, context) {
      const input = await validate(method.in, value, `the input of ${what}`);
      const make = () => handler(input, context) as AsyncIterable<unknown>;
      for await (const item of iterateInTrace(context.headers, make))
        yield await asInternal(validate(method.item, item, `an item of ${what}`));
    },
  };
}

/** What a handler gave does not fit its own contract: that is no fault of the caller. */
async function asInternal<T>(checked: Promise<T>): Promise<T> {
  try {
    return await checked;
  } catch (thrown) {
    throw new FabricError("internal", FabricError.from(thrown).message, {
      reason: "schema",
      cause: thrown,
    });
  }
}
