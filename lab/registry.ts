// SPDX-License-Identifier: Apache-2.0
// A registry of images beside an engine, on the loopback of its network namespace: what a pull needs and nothing more.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { packBusybox } from "./images.ts";

const PORT = 5000;
const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG = "application/vnd.docker.container.image.v1+json";
const LAYER = "application/vnd.docker.image.rootfs.diff.tar";

/** Serves files by the last two parts of their address; ends when whoever started it does. */
const SERVER = `
const { createServer } = require("node:http");
const { createReadStream, existsSync, readFileSync } = require("node:fs");
const { createHash } = require("node:crypto");
process.stdin.resume().on("end", () => process.exit(0));
createServer((request, response) => {
  const [kind, name] = request.url.split("/").slice(-2);
  const file = process.argv[1] + "/" + kind + "/" + name.replace(":", "_");
  if (request.url === "/v2/") return response.end("{}");
  if (!/^(manifests|blobs)$/.test(kind) || !existsSync(file)) return response.writeHead(404).end();
  if (kind === "blobs") return createReadStream(file).pipe(response);
  const text = readFileSync(file);
  const digest = "sha256:" + createHash("sha256").update(text).digest("hex");
  response.writeHead(200, { "content-type": "${MANIFEST}", "content-length": text.length, "docker-content-digest": digest });
  response.end(request.method === "HEAD" ? undefined : text);
}).listen(${PORT}, "127.0.0.1", () => console.log("ready"));
`;

/** What is published is fetched by the engine as `HOST/any/name:TAG`. */
export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:5000`, which an engine asks without TLS. */
  readonly host: string;
  /** Lets a tag mean a busybox that runs `command`. */
  publish(tag: string, command: readonly string[]): Promise<void>;
}

function digestOf(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Starts one in the namespace of an engine. */
export async function startRegistry(netns: string): Promise<Registry> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-registry-"));
  for (const kind of ["manifests", "blobs"]) mkdirSync(join(directory, kind));
  const words = ["netns", "exec", netns, process.execPath, "-e", SERVER, directory];
  const server = spawn("ip", words, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  await Promise.race([
    new Promise((resolve) => server.stdout.once("data", resolve)),
    ended.then(() => Promise.reject(new Error("the registry ended before it was ready"))),
  ]);
  let layer: Buffer | undefined;

  function keep(content: Buffer, mediaType: string) {
    const digest = digestOf(content);
    writeFileSync(join(directory, "blobs", `sha256_${digest}`), content);
    return { mediaType, size: content.byteLength, digest: `sha256:${digest}` };
  }

  return {
    host: `127.0.0.1:${PORT}`,
    async publish(tag, command) {
      layer ??= await buffer(packBusybox());
      const config = {
        architecture: process.arch === "x64" ? "amd64" : process.arch,
        os: "linux",
        config: { Cmd: command, Env: ["PATH=/bin"] },
        rootfs: { type: "layers", diff_ids: [`sha256:${digestOf(layer)}`] },
      };
      const manifest = {
        schemaVersion: 2,
        mediaType: MANIFEST,
        config: keep(Buffer.from(JSON.stringify(config)), CONFIG),
        layers: [keep(layer, LAYER)],
      };
      const text = Buffer.from(JSON.stringify(manifest));
      for (const name of [tag, `sha256_${digestOf(text)}`])
        writeFileSync(join(directory, "manifests", name), text);
    },
    async [Symbol.asyncDispose]() {
      server.stdin.end();
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
