// SPDX-License-Identifier: Apache-2.0
// The side that is asked: it answers for what it has itself, and asks nobody. An answer is a stream of JSON lines, one for
// a value; an empty line says that more may come.
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { Clock } from "#base/clock.ts";
import { baseErrors, FairleadError } from "#base/errors.ts";
import type { Caller, Operations } from "#control/operations.ts";
import type { Peers } from "#control/peers.ts";
import type { ActHere } from "./act-here.ts";
import { Question, QUESTION_PATH } from "./questions.ts";

export interface AnswerOptions {
  readonly peers: Pick<Peers, "answer">;
  /** Those of this node alone. */
  readonly operations: Operations;
  readonly actHere: ActHere;
  readonly nodes: () => readonly Pick<NodeView, "id" | "name">[];
  readonly clock: Clock;
}

/** Less than what a connection may stand still. */
const BEAT_MS = 5_000;
const BEAT = Buffer.from("\n");

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}

/** The asker knows how services stand from the fleet's store, so it is not told again. */
async function* pickEvents(source: ReturnType<Operations["events"]>): AsyncGenerator<unknown> {
  for await (const { event } of source) if (event.kind !== "service") yield event;
}

/** What is known of the answer when this resolves is that there is one: what throws later cuts the stream. */
async function open(
  { operations, actHere }: AnswerOptions,
  question: Question,
  caller: Caller,
): Promise<AsyncIterable<unknown>> {
  const scope =
    "scope" in question && question.scope !== undefined ? { scope: question.scope } : {};
  switch (question.ask) {
    case "inspect":
      return once(await operations.inspect(question.object, scope, caller));
    case "why":
      return once(await operations.why(question.object, scope, caller));
    case "decision":
      return once(await operations.decision(question.id, caller));
    case "decisions":
      return once((await operations.decisions(dropAbsent(question.filter), caller)).items);
    case "alerts":
      return once((await operations.alerts(caller)).items);
    case "flows":
      return once(await operations.flows(dropAbsent(question.query), caller));
    case "followFlows":
      return operations.followFlows(dropAbsent(question.query), caller);
    case "identities":
      return once((await operations.identities(caller)).items);
    case "revokeIdentity": {
      const { object, reason } = question;
      const how = reason === undefined ? scope : { ...scope, reason };
      return once(await operations.revokeIdentity(object, how, caller));
    }
    case "queues":
      return once((await operations.queues(caller)).items);
    case "act":
      return once((await actHere(question.scope, question.request, caller)) ?? null);
    case "logs":
      return operations.logs(dropAbsent(question.request), caller);
    case "usage":
      return operations.usage(scope, caller);
    case "events":
      return pickEvents(operations.events(scope, caller));
  }
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function dropAbsent<T extends object>(fields: T): Present<T> {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Present<T>;
}

/** Resolves with false as soon as something has come, with true when it is time for a beat. */
function isQuiet(clock: Clock, came: AbortSignal): Promise<boolean> {
  return clock.sleep(BEAT_MS, came).then(
    () => true,
    () => false,
  );
}

async function* writeLines(
  source: AsyncIterable<unknown>,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const items = source[Symbol.asyncIterator]();
  try {
    while (!signal.aborted) {
      const came = new AbortController();
      const next = items.next();
      // One listener for each item, however many beats it takes to come.
      next.catch(() => undefined).finally(() => came.abort());
      while (!came.signal.aborted && !signal.aborted)
        if (await isQuiet(clock, came.signal)) yield BEAT;
      if (!came.signal.aborted) return;
      const item = await next;
      if (item.done === true) return;
      yield Buffer.from(`${JSON.stringify(item.value)}\n`);
    }
  } finally {
    // It may be in the middle of waiting, and ends with the signal then.
    void items.return?.().catch(() => undefined);
  }
}

function readQuestion(text: string): Question {
  try {
    return Question.parse(JSON.parse(text));
  } catch (cause) {
    throw new FairleadError(baseErrors["invalid-argument"], "it is of another version", { cause });
  }
}

/** Lets other nodes ask this one on behalf of the people who ask them. */
export function answerNodes(options: AnswerOptions): void {
  const { peers, nodes, clock } = options;
  peers.answer(QUESTION_PATH, async ({ from, query, signal }) => {
    const question = readQuestion(query.get("question") ?? "");
    const asker = nodes().find(({ id }) => id === from)?.name ?? from;
    const actor = `${query.get("actor") ?? "somebody"} on ${asker}`;
    const source = await open(options, question, { actor, signal });
    return { kind: "stream", chunks: writeLines(source, clock, signal) };
  });
}
