// SPDX-License-Identifier: Apache-2.0
// Building, and the lines of progress that pulls, loads and builds answer with.
import type { IncomingMessage } from "node:http";
import { FairleadError, type ErrorKind } from "#base/errors.ts";
import type { Engine } from "#engine/engine.ts";
import { engineErrors } from "#engine/errors.ts";
import type { Connection } from "./connection.ts";
import { demultiplex, splitLines } from "./frames.ts";

const LAST_LINES = 10;
/** Silence in the midst of an answer after which the engine is taken to hang. */
const IDLE_MS = 120_000;
/** A build whose engine says nothing for this long is given up before its answer begins. */
const BUILD_HEAD_MS = 600_000;

interface ProgressDocument {
  readonly stream?: string;
  readonly status?: string;
  readonly progress?: string;
  readonly id?: string;
  readonly error?: string;
}

/** Reads progress to its end; throws `kind` with the engine's words when it ends with an error. */
export async function readProgress(
  response: IncomingMessage,
  kind: ErrorKind,
  onLine: ((line: string) => void) | undefined,
): Promise<void> {
  const last: string[] = [];
  response.setTimeout(IDLE_MS, () => {
    const message = `the engine said nothing for ${IDLE_MS} ms`;
    response.destroy(new FairleadError(engineErrors["engine-timeout"], message));
  });
  for await (const { text } of splitLines(demultiplex(response as AsyncIterable<Buffer>, true))) {
    if (text.trim() === "") continue;
    const document = JSON.parse(text) as ProgressDocument;
    if (document.error !== undefined) {
      throw new FairleadError(
        kind,
        document.error,
        last.length === 0 ? {} : { facts: { "last lines": last.join("\n") } },
      );
    }
    const line = (
      document.stream ?? [document.id, document.status, document.progress].filter(Boolean).join(" ")
    ).trimEnd();
    if (line === "") continue;
    last.push(line);
    if (last.length > LAST_LINES) last.shift();
    onLine?.(line);
  }
}

/** Builds with the classic builder, which needs no registry for `FROM scratch` or for images that are there. */
export async function buildImage(
  connection: Connection,
  context: AsyncIterable<Uint8Array>,
  options: Parameters<Engine["buildImage"]>[1],
): Promise<void> {
  const query = new URLSearchParams({
    version: "1",
    dockerfile: options.dockerfile,
    rm: "1",
    forcerm: "1",
  });
  for (const tag of options.tags) query.append("t", tag);
  query.set("buildargs", JSON.stringify(options.buildArgs));
  query.set("labels", JSON.stringify(options.labels));
  if (options.target !== undefined) query.set("target", options.target);
  if (options.network !== undefined) query.set("networkmode", options.network);
  if (options.platform !== undefined) query.set("platform", options.platform);
  if (options.cacheFrom !== undefined && options.cacheFrom.length > 0)
    query.set("cachefrom", JSON.stringify(options.cacheFrom));
  if (options.extraHosts !== undefined && options.extraHosts.length > 0)
    query.set("extrahosts", options.extraHosts.join(","));
  if (options.shmSizeBytes !== undefined) query.set("shmsize", String(options.shmSizeBytes));
  if (options.noCache === true) query.set("nocache", "1");
  if (options.pull === true) query.set("pull", "1");
  const response = await connection.stream("POST", `/build?${query}`, {
    body: context,
    contentType: "application/x-tar",
    decision: options.decision,
    signal: options.signal,
    deadlineMs: options.deadlineMs ?? BUILD_HEAD_MS,
  });
  await readProgress(response, engineErrors["build-failed"], options.onProgress);
}
