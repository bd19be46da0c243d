// SPDX-License-Identifier: Apache-2.0
// A guarded socket before a server that stands where the engine would: it writes down what reaches it, byte for byte.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readDockerLimits } from "#model/docker-limits.ts";
import { openDockerSocket } from "#warden/open-socket.ts";

const OWNER = { scope: "crew", service: "boss" };
export const OWN = "a".repeat(64);
export const VICTIM = "b".repeat(64);

/** What an engine would say of a container: the agent's own, and another's. */
const CONTAINERS: Readonly<Record<string, object>> = {
  [OWN]: {
    Id: OWN,
    Name: "/crew.boss.tool",
    Config: { Labels: { "io.fairlead.agent": "crew/boss" } },
  },
  [VICTIM]: { Id: VICTIM, Name: "/crew-victim-1", Config: { Labels: {} } },
};
const ALIASES: Readonly<Record<string, string>> = {
  "crew.boss.tool": OWN,
  "crew-victim-1": VICTIM,
  [VICTIM.slice(0, 12)]: VICTIM,
  [VICTIM.slice(0, 2)]: VICTIM,
};

/** What has reached the engine. */
export interface Reached {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly message: string;
}

export interface WardenRig extends AsyncDisposable {
  readonly path: string;
  readonly reached: Reached[];
  /** The first request whose body ended before its end, as the engine saw it. */
  readonly cut: Promise<string>;
  /** What the recorder was told: refused calls, and acts. */
  readonly told: string[];
  send(method: string, path: string, body?: string | Uint8Array): Promise<Reply>;
  /** Bytes as they are; resolves with all that comes back. */
  sendRaw(text: string): Promise<string>;
}

function answerInspect(path: string): object | undefined {
  const [, name = ""] = /\/containers\/([^/]+)\/json/.exec(path) ?? [];
  return CONTAINERS[ALIASES[name] ?? name];
}

/** Opens both; `word` is that of the label. */
export async function openWardenRig(word = "guarded images=busybox:* count=2"): Promise<WardenRig> {
  const directory = await mkdtemp(join(tmpdir(), "fairlead-warden-"));
  const enginePath = join(directory, "engine.sock");
  const path = join(directory, "guarded", "docker.sock");
  const reached: Reached[] = [];
  const told: string[] = [];
  const cut = Promise.withResolvers<string>();
  const engine = createServer((asked, answer) => {
    const { method = "", url = "" } = asked;
    let body = "";
    asked.setEncoding("latin1").on("data", (chunk: string) => (body += chunk));
    asked.on("end", () => {
      reached.push({ method, path: url, body });
      const found = answerInspect(url);
      const isLost = found === undefined && /\/containers\/[^/]+\/json/.test(url);
      answer.writeHead(isLost ? 404 : 200, { "content-type": "application/json" });
      if (url.includes("/containers/json")) answer.end("[]");
      else answer.end(JSON.stringify(found ?? { message: "from the engine" }));
    });
    asked.on("error", () => cut.resolve(`${method} ${url}`));
  });
  await new Promise<void>((resolve) => void engine.listen(enginePath, resolve));
  const limits = readDockerLimits(word);
  if (limits === undefined) throw new Error(`"${word}" is no word of fairlead.docker`);
  const recorder = {
    begin: async (_: unknown, { title }: { readonly title: string }) => {
      told.push(title);
      return "dec_1";
    },
    end: () => undefined,
    note: (_: unknown, call: string, status: number, because?: string) =>
      void told.push(`${call} ${status} ${because ?? ""}`.trim()),
  };
  const socket = await openDockerSocket({ path, enginePath, owner: OWNER, limits, recorder });
  return {
    path,
    reached,
    told,
    cut: cut.promise,
    send(method, target, body = "") {
      return new Promise((resolve, reject) => {
        const length = Buffer.byteLength(body);
        const headers =
          length === 0 ? {} : { "content-type": "application/json", "content-length": length };
        const sent = request({ socketPath: path, method, path: target, headers, agent: false });
        sent.on("response", (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
          response.on("end", () => {
            const { message = "" } = text.startsWith("{")
              ? (JSON.parse(text) as { readonly message?: string })
              : {};
            resolve({ status: response.statusCode ?? 0, text, message });
          });
        });
        sent.on("error", reject).end(body);
      });
    },
    sendRaw(text) {
      return new Promise((resolve, reject) => {
        let answer = "";
        const raw = connect(path, () => raw.write(text));
        raw.setEncoding("latin1").on("data", (chunk: string) => (answer += chunk));
        // The other side may close while this one still writes; what it said before that counts.
        raw.on("error", (error) => (answer === "" ? reject(error) : undefined));
        raw.on("close", () => resolve(answer));
      });
    },
    async [Symbol.asyncDispose]() {
      await socket[Symbol.asyncDispose]();
      engine.closeAllConnections();
      await new Promise((resolve) => void engine.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
