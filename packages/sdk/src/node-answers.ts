// SPDX-License-Identifier: Apache-2.0
// What a node says, read without a schema library: loading one would cost an agent 7 MB and a fifth of its start. The node
// has checked records with the full schema; a newer node may say more than is known here.
import type { Parser } from "@fairlead/fabric/json.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { JoinAnswer, Receipt, Routes, SubscribeAnswer } from "@fairlead/protocol/fabric.ts";

type Kind = "string" | "number" | "boolean" | "object" | "array";
/** A kind for each member that must be there. */
type Shape<T> = {
  readonly [K in keyof T as undefined extends T[K] ? never : K]: Kind;
};

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOf(kind: Kind, value: unknown): boolean {
  if (kind === "array") return Array.isArray(value);
  return kind === "object" ? isObject(value) : typeof value === kind;
}

/** Accepts an object whose members are of these kinds; others are let through. */
function createParser<T>(what: string, shape: Shape<Pick<T, keyof T>>): Parser<T> {
  const members = Object.entries<Kind>(shape);
  return {
    safeParse(value) {
      if (!isObject(value)) return { success: false, error: { message: `${what} is no object` } };
      const wrong = members.find(([name, kind]) => !isOf(kind, value[name]));
      if (wrong === undefined) return { success: true, data: value as T };
      const [name, kind] = wrong;
      return { success: false, error: { message: `${name} of ${what} is no ${kind}` } };
    },
  };
}

/** Reads an agent's record. */
export const RECORD: Parser<AgentRecord> = createParser<AgentRecord>("a record", {
  id: "string",
  name: "string",
  scope: "string",
  kind: "string",
  addresses: "array",
  contracts: "array",
  skills: "array",
  subscriptions: "array",
  version: "string",
  tags: "object",
  locality: "object",
  load: "number",
  draining: "boolean",
  healthy: "boolean",
  ttlMs: "number",
  joinedAtMs: "number",
});

/** Reads what `$node/join` answers. */
export const JOIN_ANSWER: Parser<JoinAnswer> = createParser<JoinAnswer>("the answer to joining", {
  node: "object",
  scope: "string",
  key: "string",
});

/** Reads where an agent may send. */
export const ROUTES: Parser<Routes> = createParser<Routes>("routes", {
  to: "array",
  from: "array",
  via: "object",
  members: "array",
  hopsMax: "number",
});

/** Reads what became of a published message. */
export const RECEIPT: Parser<Receipt> = createParser<Receipt>("a receipt", { id: "string" });

/** Reads that a subscription stands. */
export const SUBSCRIBE_ANSWER: Parser<SubscribeAnswer> = createParser<SubscribeAnswer>(
  "the answer to subscribing",
  { kept: "array" },
);
