// SPDX-License-Identifier: Apache-2.0
// OpenTelemetry is used when the program has it, and never required.
import type { Headers } from "@fairlead/fabric/frame.ts";

interface Propagation {
  inject(context: unknown, carrier: Record<string, string>): void;
  extract(context: unknown, carrier: Record<string, string>): unknown;
}

interface Api {
  readonly propagation: Propagation;
  readonly context: {
    active(): unknown;
    with<T>(context: unknown, work: () => T): T;
  };
}

/** Carries the trace of a call from its caller to its handler. */
export interface Tracing {
  /** The headers with the present trace added. */
  inject(headers: Headers | undefined): Headers | undefined;
  /** Runs `work` within the trace that the headers name. */
  run<T>(headers: Headers, work: () => T): T;
}

const NONE: Tracing = { inject: (headers) => headers, run: (_, work) => work() };
const PACKAGE = "@opentelemetry/api";

/** Looks for `@opentelemetry/api` among the program's packages. */
export async function findTracing(): Promise<Tracing> {
  let api: Api;
  try {
    api = (await import(PACKAGE)) as Api;
  } catch {
    return NONE;
  }
  return {
    inject(headers) {
      const carrier: Record<string, string> = { ...headers };
      api.propagation.inject(api.context.active(), carrier);
      return Object.keys(carrier).length === 0 ? undefined : carrier;
    },
    run: (headers, work) =>
      api.context.with(api.propagation.extract(api.context.active(), { ...headers }), work),
  };
}
