// SPDX-License-Identifier: Apache-2.0
// The side that asks: each of the other nodes for its part, and which of them did not answer.
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { z } from "zod";
import { FairleadError } from "#base/errors.ts";
import { controlErrors } from "#control/errors.ts";
import type { Caller } from "#control/operations.ts";
import type { Peers } from "#control/peers.ts";
import { readShared } from "#control/read-shared.ts";
import type { Roll } from "#control/roll.ts";
import { QUESTION_PATH, type Question } from "./questions.ts";

/** One node's part of an answer. */
export interface Part<T> {
  /** Name of the node. */
  readonly node: string;
  readonly value: T;
}

/** The parts there are, and who did not answer: `node-c (it is gone)`. */
export interface Parts<T> {
  readonly parts: readonly Part<T>[];
  readonly missing: readonly string[];
}

export interface OtherNodes {
  /** All but this one and those that have left. */
  list(): readonly NodeView[];
  /** One value. Throws FL0744 `node-silent`, and FL1204 with the code of what it refused. */
  ask<T>(node: NodeView, question: Question, caller: Caller, schema: z.ZodType<T>): Promise<T>;
  /** What all others say at once. Who knows nothing of what is asked has no part in it. */
  gather<T>(question: Question, caller: Caller, schema: z.ZodType<T>): Promise<Parts<T>>;
  /** Values as they come, until the caller's signal aborts. Throws as `ask`. */
  stream<T>(
    node: NodeView,
    question: Question,
    caller: Caller,
    schema: z.ZodType<T>,
  ): AsyncGenerator<T>;
}

/** A node that lives answers in milliseconds; for acts it may have to wait for its engine. */
const ASK_MS = 4_000;
const ACT_MS = 10_000;

/** Says of a node why it has no part. */
export function describeMissing({ name }: Pick<NodeView, "name">, why: string): string {
  return `${name} (${why})`;
}

/** True for what is refused because a node has nothing of it. */
export function isUnknownThere(thrown: unknown): boolean {
  return thrown instanceof FairleadError && thrown.facts["code"] === "not_found";
}

async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield JSON.parse(line) as unknown;
  }
}

/** Makes it over the roll and the way to the others. */
export function createOtherNodes(
  peers: Pick<Peers, "peering" | "problem">,
  roll: Pick<Roll, "list">,
): OtherNodes {
  function refuse({ name }: NodeView, why: string, cause?: unknown): FairleadError {
    const options = cause === undefined ? {} : { cause };
    return new FairleadError(controlErrors["node-silent"], `${name}: ${why}`, options);
  }

  async function* stream<T>(
    node: NodeView,
    question: Question,
    { actor, signal }: Caller,
    schema: z.ZodType<T>,
  ): AsyncGenerator<T> {
    const { peering, problem } = peers;
    const { id, address = "", port = 0, state } = node;
    if (peering === undefined) throw refuse(node, `no way to other nodes yet: ${problem}`);
    if (state === "gone") throw refuse(node, "it is gone");
    const query = { question: JSON.stringify(question), actor };
    const chunks = await peering.stream({ id, address, port }, QUESTION_PATH, { query, signal });
    for await (const line of readLines(chunks)) {
      const read = readShared(schema, line);
      if (read === undefined) throw refuse(node, "it answers in another version");
      yield read;
    }
  }

  async function ask<T>(
    node: NodeView,
    question: Question,
    { actor, signal }: Caller,
    schema: z.ZodType<T>,
  ): Promise<T> {
    const late = AbortSignal.timeout(question.ask === "act" ? ACT_MS : ASK_MS);
    const caller = { actor, signal: AbortSignal.any([signal, late]) };
    try {
      for await (const value of stream(node, question, caller, schema)) return value;
      throw refuse(node, "it says nothing");
    } catch (thrown) {
      if (late.aborted && !signal.aborted) throw refuse(node, "it does not answer", thrown);
      throw thrown;
    }
  }

  const list = (): readonly NodeView[] =>
    roll.list().filter(({ self, state }) => !self && state !== "left");

  return {
    list,
    ask,
    stream,
    async gather<T>(question: Question, caller: Caller, schema: z.ZodType<T>) {
      const parts: Part<T>[] = [];
      const missing: string[] = [];
      async function take(node: NodeView): Promise<void> {
        try {
          parts.push({ node: node.name, value: await ask(node, question, caller, schema) });
        } catch (thrown) {
          caller.signal.throwIfAborted();
          if (!isUnknownThere(thrown)) missing.push(describeMissing(node, tellWhy(node, thrown)));
        }
      }
      await Promise.all(list().map(take));
      parts.sort((a, b) => a.node.localeCompare(b.node));
      return { parts, missing: missing.sort() };
    },
  };
}

/** Why a node has no part, without its name. */
export function tellWhy({ name }: Pick<NodeView, "name">, thrown: unknown): string {
  const { message } = FairleadError.from(thrown);
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}
