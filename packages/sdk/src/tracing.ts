// SPDX-License-Identifier: Apache-2.0
// OpenTelemetry is used when the program has set it up, and never required: what `@opentelemetry/api` registers for the whole
// process is looked up at each use, so that neither its version nor the order of imports matters.
import type { Headers } from "@fairlead/fabric/frame.ts";
import type { MessageHandler } from "./messages.ts";

type Carrier = Record<string, string>;

interface Propagator {
  inject(
    context: unknown,
    carrier: Carrier,
    setter: { set(carrier: Carrier, key: string, value: string): void },
  ): void;
  extract(
    context: unknown,
    carrier: Readonly<Carrier>,
    getter: {
      keys(carrier: Readonly<Carrier>): string[];
      get(carrier: Readonly<Carrier>, key: string): string | undefined;
    },
  ): unknown;
}

interface Registered {
  readonly propagation?: Propagator;
  readonly context?: {
    active(): unknown;
    with<T>(context: unknown, work: () => T): T;
  };
}

/** Where `@opentelemetry/api`, version 1, keeps what was registered. */
const API = Symbol.for("opentelemetry.js.api.1");

const SETTER = {
  set(carrier: Carrier, key: string, value: string): void {
    carrier[key] = value;
  },
};
const GETTER = {
  keys: (carrier: Readonly<Carrier>) => Object.keys(carrier),
  get: (carrier: Readonly<Carrier>, key: string) => carrier[key],
};

function findApi(): Required<Registered> | undefined {
  const registered = (globalThis as { readonly [API]?: Registered })[API];
  const { propagation, context } = registered ?? {};
  return propagation === undefined || context === undefined ? undefined : { propagation, context };
}

/** The headers with the present trace added; the same where there is none. */
export function injectTrace(headers: Headers | undefined): Headers | undefined {
  const api = findApi();
  if (api === undefined) return headers;
  const carrier: Carrier = {};
  api.propagation.inject(api.context.active(), carrier, SETTER);
  return Object.keys(carrier).length === 0 ? headers : { ...headers, ...carrier };
}

/** Runs `work` within the trace that the headers name. */
export function runInTrace<T>(headers: Headers, work: () => T): T {
  const api = findApi();
  if (api === undefined) return work();
  const { propagation, context } = api;
  return context.with(propagation.extract(context.active(), headers, GETTER), work);
}

/** A handler of messages that runs within the trace that a message names. */
export function traceHandler<T>(handler: MessageHandler<T>): MessageHandler<T> {
  // Messages come by the million: without a tracer nothing is made for one.
  return (message) =>
    findApi() === undefined
      ? handler(message)
      : runInTrace(message.headers, () => handler(message));
}

/** The same for what gives items one by one: each is made within the trace. */
export async function* iterateInTrace<T>(
  headers: Headers,
  make: () => AsyncIterable<T>,
): AsyncGenerator<T> {
  const items = runInTrace(headers, () => make()[Symbol.asyncIterator]());
  try {
    for (;;) {
      const result = await runInTrace(headers, () => items.next());
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    await runInTrace(headers, () => items.return?.());
  }
}
