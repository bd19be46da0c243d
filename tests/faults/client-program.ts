// SPDX-License-Identifier: Apache-2.0
// `client-program.ts RATE SCOPE SERVICE…`, started with an IPC channel: calls each service RATE times a second, at the places that
// it is told, asks name servers for one of them as often, and tells what it saw. A call that is not answered in time is tried at
// another place.
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createNameAsker, type NameAnswer, type NameServer } from "./ask-names.ts";
import type { Call, Place, Places } from "./call.ts";

/** What the program is told. */
export interface Told {
  readonly places?: Places;
  readonly servers?: readonly NameServer[];
}

/** A time in which the program had no turn, so that it neither asked nor heard: the machine gave it none. */
export interface Pause {
  /** When it began, wall clock. */
  readonly atMs: number;
  readonly forMs: number;
}

/** What it saw since the last time. */
export interface Seen {
  readonly calls: readonly Call[];
  readonly answers: readonly NameAnswer[];
  readonly pauses: readonly Pause[];
}

const TRIES_MAX = 3;
/** So long an answer may take of the time in which this program has turns: one that lies there unread is not late. */
const ANSWER_MS = 400;
const TURN_MS = 20;
const TURN_MAX_MS = 2 * TURN_MS;
/** A pause that is told. */
const PAUSE_MS = 200;
const TELL_MS = 100;
const BYTES_MAX = 200;
const LATE = "no answer in time";
const BEHIND_MAX_MS = 500;
const [rate = "100", scope = "", ...services] = process.argv.slice(2);

let places: Places = {};
let servers: readonly NameServer[] = [];
let calls: Call[] = [];
let answers: NameAnswer[] = [];
let pauses: Pause[] = [];
let turnsMs = 0;
/** What waits for an answer, the first that was asked first, and since when by `turnsMs`. */
const asked = new Map<AbortController, number>();
const names = createNameAsker();
const turns = new Map<string, number>();
const nowMs = (): number => performance.timeOrigin + performance.now();

type Answer = Pick<Call, "outcome" | "detail">;

/** One question. Who answers says which service it is. */
function ask(service: string, { address, port }: Place): Promise<Answer> {
  return new Promise((resolve) => {
    const fail = (detail: string): void => resolve({ outcome: "failed", detail });
    const late = new AbortController();
    asked.set(late, turnsMs);
    const sent = get({ host: address, port, agent: false, signal: late.signal }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      answer.once("error", ({ message }) => fail(late.signal.aborted ? LATE : message));
      answer.once("end", () => {
        // One that is cut off in the middle has not answered.
        if (!answer.complete || text === "") return fail("cut off");
        const isRight = answer.statusCode === 200 && text.startsWith(`${service} `);
        const detail = `${answer.statusCode} ${text.slice(0, BYTES_MAX)}`;
        return resolve(isRight ? { outcome: "ok", detail: "" } : { outcome: "wrong", detail });
      });
    });
    sent.once("error", ({ message }) => fail(late.signal.aborted ? LATE : message));
    sent.once("close", () => asked.delete(late));
  });
}

async function call(service: string): Promise<void> {
  const sentMs = nowMs();
  const turn = (turns.get(service) ?? 0) + 1;
  turns.set(service, turn);
  const tried: string[] = [];
  let answer: Answer = { outcome: "failed", detail: "nobody to ask" };
  for (let at = 0; at < TRIES_MAX && answer.outcome === "failed"; at++) {
    const known = places[service] ?? [];
    const place = known[(turn + at) % Math.max(1, known.length)];
    if (place === undefined) break;
    tried.push(place.host);
    answer = await ask(service, place);
  }
  calls.push({ service, sentMs, endMs: nowMs(), tried, ...answer });
}

async function askName(): Promise<void> {
  const answer = await names.ask(servers, scope, services);
  if (answer !== undefined) answers.push(answer);
}

process.on("message", (told: Told) => {
  places = told.places ?? places;
  servers = told.servers ?? servers;
});
process.on("disconnect", () => process.exit(0));
setInterval(() => {
  const seen: Seen = { calls, answers, pauses };
  if (calls.length > 0) process.send?.(seen);
  [calls, answers, pauses] = [[], [], []];
}, TELL_MS);
let turnMs = performance.now();
setInterval(() => {
  const forMs = performance.now() - turnMs;
  turnMs += forMs;
  turnsMs += Math.min(forMs, TURN_MAX_MS);
  if (forMs > PAUSE_MS) pauses.push({ atMs: nowMs() - forMs, forMs });
  for (const [late, sinceMs] of asked) {
    if (turnsMs - sinceMs < ANSWER_MS) break;
    asked.delete(late);
    late.abort();
  }
}, TURN_MS);
// By the clock, so that a client which had no turn calls as much as another; but never so much that it reads no answers.
for (let due = performance.now(); ; due += 1_000 / Number(rate)) {
  const waitMs = due - performance.now();
  if (waitMs < -BEHIND_MAX_MS) due = performance.now();
  await sleep(Math.max(0, waitMs));
  for (const service of services) void call(service);
  void askName();
}
