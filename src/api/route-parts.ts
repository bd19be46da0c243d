// SPDX-License-Identifier: Apache-2.0
// What the definitions of routes have in common.
import { ScopeName } from "@fairlead/protocol/intent.ts";
import { API_VERSION, Problem } from "@fairlead/protocol/views.ts";
import { z } from "zod";
import { baseErrors, FairleadError } from "#base/errors.ts";
import type { Answer, Caller } from "#control/operations.ts";
import type { ApiContext } from "./channel.ts";
import { createCaller, type ApiParts } from "./parts.ts";

/** What any route answers when it cannot do what was asked. */
export const PROBLEM = {
  description: "What went wrong, why, and what to do",
  content: { "application/problem+json": { schema: Problem } },
};

/** The entry for an answer with a JSON body. */
export function describeJson<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/json": { schema } } };
}

/** The entry for a request with a JSON body. */
export function acceptJson<T extends z.ZodType>(schema: T, required = true) {
  return { required, content: { "application/json": { schema } } };
}

export const scopeParams = z.strictObject({ scope: ScopeName });
export const scopeQuery = z.strictObject({ scope: ScopeName.optional() });

/** A query parameter that may be repeated. */
export function repeatable(item: z.ZodString) {
  return z.union([item.transform((one) => [one]), z.array(item)]);
}

/** A whole number in a query. */
export function countBetween(min: number, max: number) {
  return z.coerce.number().int().min(min).max(max);
}

/** `1`, `true`, `0` or `false` in a query. */
export const flag = z
  .enum(["1", "true", "0", "false"])
  .transform((word) => word === "1" || word === "true");

type Given<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The same fields without those that are undefined, for interfaces whose fields are absent or real. */
export function given<T extends object>(fields: T): Given<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Given<T>;
}

/** The envelope of a list. */
export function wrapList<K extends string, T>(kind: K, answer: Answer<T>) {
  return {
    apiVersion: API_VERSION as typeof API_VERSION,
    kind,
    asOf: new Date(answer.asOfMs).toISOString(),
    partial: answer.missing.length > 0,
    missing: [...answer.missing],
    items: [...answer.items],
  };
}

/** Runs one operation for a request, with its deadline. Throws FL0103 when it takes too long. */
export async function runOperation<T>(
  c: ApiContext,
  parts: ApiParts,
  operation: (caller: Caller) => Promise<T>,
): Promise<T> {
  const caller = createCaller(c, parts);
  const { operationTimeMs } = parts.settings.limits;
  const done = new AbortController();
  const late = new AbortController();
  async function expire(): Promise<never> {
    await parts.clock.sleep(operationTimeMs, done.signal);
    const error = new FairleadError(baseErrors.timeout, `no answer after ${operationTimeMs} ms`);
    late.abort(error);
    throw error;
  }
  const signal = AbortSignal.any([caller.signal, late.signal]);
  try {
    return await Promise.race([operation({ ...caller, signal }), expire()]);
  } finally {
    done.abort();
  }
}
