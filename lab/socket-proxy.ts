// SPDX-License-Identifier: Apache-2.0
// A witness between Fairlead and its engine: passes everything on, notes every request, and can hang, delay or refuse
// chosen ones.
import { rmSync } from "node:fs";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";

/** A request as the witness saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** Value of X-Fairlead-Decision. */
  readonly decision: string | undefined;
  readonly atMs: number;
  /** 0 until the engine has answered. */
  status: number;
}

/** Says which requests a fault is for. */
type Matches = (seen: SeenRequest) => boolean;

/** The witness. One fault of a kind at a time; `release` ends them all. */
export interface SocketProxy extends AsyncDisposable {
  readonly socketPath: string;
  readonly endpoint: string;
  readonly requests: readonly SeenRequest[];
  /** Requests that are neither GET nor HEAD. */
  writes(): readonly SeenRequest[];
  /** From now on requests that match get no answer until `release`; then they are passed on, if the sender still waits. */
  hang(matches: Matches): void;
  /** From now on requests that match are passed on, and their answers are held back until `release`. */
  mute(matches: Matches): void;
  /** From now on connections of requests that match are cut without an answer. */
  refuse(matches: Matches): void;
  /** From now on requests that match are passed on after `delayMs`. */
  delay(matches: Matches, delayMs: number): void;
  release(): void;
  /** Empties `requests`. */
  forget(): void;
}

/** The faults in force. */
class Faults {
  #hangs: Matches | undefined;
  #mutes: Matches | undefined;
  #refuses: Matches | undefined;
  #delays: { matches: Matches; delayMs: number } | undefined;
  #waiting: (() => void)[] = [];

  hang(matches: Matches): void {
    this.#hangs = matches;
  }

  mute(matches: Matches): void {
    this.#mutes = matches;
  }

  refuse(matches: Matches): void {
    this.#refuses = matches;
  }

  delay(matches: Matches, delayMs: number): void {
    this.#delays = { matches, delayMs };
  }

  release(): void {
    this.#hangs = this.#mutes = this.#refuses = this.#delays = undefined;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Waits as long as the answer has to. */
  async answer(seen: SeenRequest): Promise<void> {
    if (this.#mutes?.(seen) === true) await new Promise<void>((go) => this.#waiting.push(go));
  }

  /** Waits as long as the request has to; false when it must not be passed on. */
  async admit(seen: SeenRequest): Promise<boolean> {
    if (this.#refuses?.(seen) === true) return false;
    if (this.#hangs?.(seen) === true) await new Promise<void>((go) => this.#waiting.push(go));
    const delays = this.#delays;
    if (delays?.matches(seen) === true)
      await new Promise<void>((go) => setTimeout(go, delays.delayMs));
    return true;
  }
}

function readRequest(incoming: IncomingMessage): SeenRequest {
  const header = incoming.headers["x-fairlead-decision"];
  const decision = typeof header === "string" ? header : undefined;
  const { method = "", url = "" } = incoming;
  return { method, path: url, decision, atMs: Date.now(), status: 0 };
}

function pass(
  enginePath: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  seen: SeenRequest,
  faults: Faults,
): void {
  const { method, url, headers } = incoming;
  async function answer(from: IncomingMessage): Promise<void> {
    seen.status = from.statusCode ?? 0;
    await faults.answer(seen);
    outgoing.writeHead(seen.status, from.headers);
    outgoing.flushHeaders();
    from.pipe(outgoing);
    from.on("error", () => outgoing.destroy());
  }
  const sent = request({ socketPath: enginePath, method, path: url, headers }, (from) => {
    void answer(from);
  });
  sent.on("error", () => outgoing.destroy());
  outgoing.on("close", () => sent.destroy());
  incoming.pipe(sent);
}

/** After an upgrade nothing is HTTP any more: both directions go on as they are, the answer's head included. */
function passUpgrade(
  enginePath: string,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const engine = connect(enginePath, () => {
    const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
    for (let i = 0; i < incoming.rawHeaders.length; i += 2)
      lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
    engine.write(`${lines.join("\r\n")}\r\n\r\n`);
    engine.write(head);
    socket.pipe(engine).pipe(socket);
  });
  engine.on("error", () => socket.destroy());
  socket.on("error", () => engine.destroy());
}

/** Starts one in front of `enginePath`, listening at `path`. */
export async function createSocketProxy(enginePath: string, path: string): Promise<SocketProxy> {
  const requests: SeenRequest[] = [];
  const faults = new Faults();
  const upgraded = new Set<Duplex>();
  const note = (incoming: IncomingMessage): SeenRequest => {
    const seen = readRequest(incoming);
    requests.push(seen);
    return seen;
  };
  const server = createServer((incoming, outgoing) => {
    const seen = note(incoming);
    void faults
      .admit(seen)
      .then((may) =>
        may && !outgoing.destroyed
          ? pass(enginePath, incoming, outgoing, seen, faults)
          : incoming.socket.destroy(),
      );
  });
  server.requestTimeout = 0;
  server.timeout = 0;
  server.on("upgrade", (incoming, socket, head) => {
    const seen = note(incoming);
    upgraded.add(socket.once("close", () => upgraded.delete(socket)));
    void faults.admit(seen).then((may) => {
      if (!may) return void socket.destroy();
      seen.status = 101;
      return passUpgrade(enginePath, incoming, socket, head);
    });
  });
  rmSync(path, { force: true });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    socketPath: path,
    endpoint: `unix://${path}`,
    requests,
    writes: () => requests.filter((seen) => seen.method !== "GET" && seen.method !== "HEAD"),
    hang: (matches) => faults.hang(matches),
    mute: (matches) => faults.mute(matches),
    refuse: (matches) => faults.refuse(matches),
    delay: (matches, delayMs) => faults.delay(matches, delayMs),
    release: () => faults.release(),
    forget: () => void requests.splice(0),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
