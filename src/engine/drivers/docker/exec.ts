// SPDX-License-Identifier: Apache-2.0
import type { ExecResult, WriteOptions } from "#engine/engine.ts";
import type { Connection } from "./connection.ts";
import { demultiplex } from "./frames.ts";

const OUTPUT_BYTES_MAX = 1024 * 1024;
const EXEC_MS = 60_000;

/** Runs a command in a container and waits for its end; output beyond 1 MiB a stream is cut. */
export async function runExec(
  connection: Connection,
  id: string,
  command: readonly string[],
  options: WriteOptions & { user?: string; stdin?: string },
): Promise<ExecResult> {
  const { decision } = options;
  const deadline = AbortSignal.timeout(options.deadlineMs ?? EXEC_MS);
  const signal =
    options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  const json = {
    Cmd: command,
    User: options.user,
    AttachStdin: options.stdin !== undefined,
    AttachStdout: true,
    AttachStderr: true,
  };
  const created = await connection.call("POST", `/containers/${encodeURIComponent(id)}/exec`, {
    json,
    decision,
    signal,
  });
  const { Id } = created as { Id: string };
  const start = { json: { Detach: false, Tty: false }, decision, signal };
  const { socket, head } = await connection.hijack(`/exec/${Id}/start`, start);
  const output = { stdout: "", stderr: "" };
  try {
    if (options.stdin !== undefined) socket.end(options.stdin);
    if (head.length > 0) socket.unshift(head);
    for await (const { stream, bytes } of demultiplex(socket as AsyncIterable<Buffer>, false)) {
      if (output[stream].length < OUTPUT_BYTES_MAX) output[stream] += bytes.toString("utf8");
    }
  } finally {
    socket.destroy();
  }
  const ended = await connection.call("GET", `/exec/${Id}/json`, { signal });
  return { exitCode: (ended as { ExitCode?: number | null }).ExitCode ?? -1, ...output };
}
