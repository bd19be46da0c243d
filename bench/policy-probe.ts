// SPDX-License-Identifier: Apache-2.0
// Sends back datagrams (`serve`), or sends one each millisecond (`ask ADDRESS`) and prints a line whenever answers begin or end:
// since when, wall clock in milliseconds of when the first packet was sent that was answered, or the first that was not.
import { createSocket } from "node:dgram";
import { performance } from "node:perf_hooks";

const PORT = 7_901;
const EVERY_MS = 1;
/** An answer that is not there by then does not come. */
const LOST_MS = 200;

/** A line of the one that asks. */
export interface ProbeLine {
  readonly passes: boolean;
  readonly sinceMs: number;
}

function ask(address: string): void {
  const socket = createSocket("udp4");
  /** When packets were sent that have no answer yet, by number. */
  const open = new Map<number, number>();
  let count = 0;
  let passes: boolean | undefined;
  const nowMs = (): number => performance.timeOrigin + performance.now();
  const tell = (line: ProbeLine): void => {
    if (passes === line.passes) return;
    passes = line.passes;
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  socket.on("message", (answer) => {
    const number = answer.readUInt32BE(0);
    const sentMs = open.get(number);
    if (sentMs === undefined) return;
    // Answers come in the order of questions: those before it are lost.
    for (const one of open.keys()) if (one <= number) open.delete(one);
    tell({ passes: true, sinceMs: sentMs });
  });
  // A packet that is refused here is one without an answer.
  socket.on("error", () => undefined);
  setInterval(() => {
    const [first] = open.values();
    const now = nowMs();
    if (first !== undefined && now - first > LOST_MS) tell({ passes: false, sinceMs: first });
    if (passes === false) for (const [one, at] of open) if (now - at > LOST_MS) open.delete(one);
    const question = Buffer.alloc(4);
    question.writeUInt32BE(++count);
    open.set(count, now);
    socket.send(question, PORT, address, () => undefined);
  }, EVERY_MS);
}

const [verb, address = ""] = process.argv.slice(2);
if (verb === "serve") {
  const socket = createSocket("udp4");
  socket.on("message", (question, { port, address: from }) =>
    socket.send(question, port, from, () => undefined),
  );
  socket.on("error", () => undefined).bind(PORT);
} else ask(address);
process.stdin.once("end", () => process.exit(0)).resume();
