// SPDX-License-Identifier: Apache-2.0
// attach and exec: after the answer's head the connection carries what the container's process reads and writes.
import type { Duplex } from "node:stream";
import { actUnder, answer, findOwn, makePath, passOn, readReason, type Call } from "./call.ts";
import { checkExecStart } from "./check-container.ts";
import { deny, refuseForm } from "./deny.ts";
import { findExec } from "./other-calls.ts";
import { BODY_BYTES_MAX, parseBody } from "./parse-body.ts";
import { FLAG, KEYS, takeQuery } from "./parse-target.ts";
import type { Question } from "./upstream.ts";

/** The connection of a call that wants it, with what was read of it beyond the request's head. */
export interface Takeover {
  readonly socket: Duplex;
  head: Buffer;
}

const takeovers = new WeakMap<Call["request"], Takeover>();

/** Notes that a request wants its connection. */
export function noteTakeover(request: Call["request"], takeover: Takeover): void {
  takeovers.set(request, takeover);
}

/** A body in front of what is to be passed through: exactly as long as the head says. */
async function readFront(call: Call, takeover: Takeover): Promise<Buffer> {
  const { headers } = call.request;
  if (headers["transfer-encoding"] !== undefined)
    return refuseForm("a request that takes its connection over has a body of a known length");
  const lengthBytes = Number(headers["content-length"] ?? 0);
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes > BODY_BYTES_MAX)
    return refuseForm("the body is too large");
  while (takeover.head.length < lengthBytes) {
    const chunk = await new Promise<Buffer>((resolve, reject) => {
      const onEnd = (): void => reject(new Error("the connection ended within the body"));
      takeover.socket.once("data", (data: Buffer) => {
        takeover.socket.off("close", onEnd);
        takeover.socket.pause();
        resolve(data);
      });
      takeover.socket.once("close", onEnd);
      takeover.socket.resume();
    });
    takeover.head = Buffer.concat([takeover.head, chunk]);
  }
  const front = takeover.head.subarray(0, lengthBytes);
  takeover.head = takeover.head.subarray(lengthBytes);
  return front;
}

/** Joins both sides; each end of one direction is told to the other side, an end of all cuts both. */
function join(agent: Duplex, engine: Duplex): void {
  agent.on("error", () => engine.destroy());
  engine.on("error", () => agent.destroy());
  agent.on("close", () => engine.destroy());
  engine.on("close", () => agent.end());
  agent.pipe(engine);
  engine.pipe(agent);
}

async function takeOver(
  call: Call,
  takeover: Takeover,
  question: Question,
): Promise<{ status: number; because: string }> {
  const got = await call.upstream.hijack(question);
  if (got.kind === "refused") {
    answer(call, got.answer);
    return { status: got.answer.status, because: readReason(got.answer) };
  }
  const { socket } = takeover;
  const type = got.type === "" ? "" : `Content-Type: ${got.type}\r\n`;
  socket.write(`HTTP/1.1 101 UPGRADED\r\n${type}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
  if (got.head.length > 0) socket.write(got.head);
  if (takeover.head.length > 0) got.socket.write(takeover.head);
  join(socket, got.socket);
  return { status: 101, because: "" };
}

const ATTACH = {
  logs: FLAG,
  stream: FLAG,
  stdin: FLAG,
  stdout: FLAG,
  stderr: FLAG,
  detachKeys: KEYS,
};

/** `POST /containers/{id}/attach` */
export async function attachContainer(call: Call): Promise<void> {
  // dockerode says `hijack` too, which the engine does not know.
  const query = takeQuery(call.target.query, ATTACH, "ignored");
  const takeover = takeovers.get(call.request);
  // The engine reads no body here; dockerode sends one. It must not become what the process reads.
  if (takeover !== undefined) await readFront(call, takeover);
  if (takeover === undefined && /^(1|true)$/i.test(query.get("stdin") ?? ""))
    deny("attach with stdin needs Upgrade: tcp");
  const { id, name } = await findOwn(call, call.place);
  const path = makePath(call.target, ["containers", id, "attach"], query);
  await actUnder(call, { title: `attached to ${name}`, object: name }, async (decision) => {
    const question = { method: "POST", path, decision };
    if (takeover !== undefined) return takeOver(call, takeover, question);
    const message = await call.upstream.open({ ...question, signal: call.signal });
    return { status: await passOn(call, message) };
  });
}

/** `POST /exec/{id}/start` with its connection */
export async function openExec(call: Call): Promise<void> {
  takeQuery(call.target.query, {});
  const takeover = takeovers.get(call.request);
  if (takeover === undefined) return deny("this needs Upgrade: tcp");
  const json = checkExecStart(parseBody(await readFront(call, takeover)));
  const { name } = (await findExec(call)).container;
  const path = makePath(call.target, ["exec", call.place, "start"]);
  await actUnder(call, { title: `ran a command in ${name}`, object: name }, (decision) =>
    takeOver(call, takeover, { method: "POST", path, json, decision }),
  );
}
