// SPDX-License-Identifier: Apache-2.0
// Ways from a test into a host's network, for ports that its containers publish.
import { spawn } from "node:child_process";
import { request } from "node:http";
import { Duplex } from "node:stream";

/** Anything with a network namespace: an engine, a host. */
export interface Reachable {
  readonly netns: string;
}

/** A TCP connection made from inside of the host; the stream ends when either side does. */
export function connectFrom(host: Reachable, port: number, address = "127.0.0.1"): Duplex {
  const args = [`--net=/run/netns/${host.netns}`, "busybox", "nc", address, String(port)];
  const relay = spawn("nsenter", args, { stdio: ["pipe", "pipe", "ignore"] });
  const stream = new Duplex({
    read: () => void relay.stdout.resume(),
    write: (chunk, _, done) => void relay.stdin.write(chunk, () => done()),
    final: (done) => void relay.stdin.end(() => done()),
    destroy(error, done) {
      relay.kill("SIGKILL");
      done(error);
    },
  });
  relay.stdout.on("data", (chunk) => stream.push(chunk) || relay.stdout.pause());
  relay.stdout.once("end", () => stream.push(null));
  relay.once("error", (error) => stream.destroy(error));
  // A relay that has ended takes nothing any more; its end is the end of the stream.
  relay.stdin.on("error", () => undefined);
  return stream;
}

/** What an HTTP server answered. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** GET of an `http:` address as seen from the host. Throws when nobody answers within 10 s. */
export function fetchFrom(host: Reachable, url: string, body?: string): Promise<Answer> {
  const { hostname, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const stream = connectFrom(host, Number(port === "" ? 80 : port), hostname);
    const alarm = setTimeout(() => stream.destroy(new Error(`${url} did not answer`)), 10_000);
    const options = {
      createConnection: () => stream,
      method: body === undefined ? "GET" : "POST",
      host: hostname,
      path: `${pathname}${search}`,
      headers: { connection: "close" },
    };
    const sent = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.once("close", () => {
      clearTimeout(alarm);
      stream.destroy();
    });
    sent.once("error", reject).end(body);
  });
}
