// SPDX-License-Identifier: Apache-2.0
import { addAbortSignal } from "node:stream";
import { FairleadError } from "#base/errors.ts";
import type { ExecResult, WriteOptions } from "#engine/engine.ts";
import { engineErrors } from "#engine/errors.ts";
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
  const deadlineMs = options.deadlineMs ?? EXEC_MS;
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    return await execute(connection, id, command, options, deadline);
  } catch (error) {
    if (!deadline.aborted || options.signal?.aborted === true) throw error;
    throw new FairleadError(
      engineErrors["engine-timeout"],
      `the command did not end within ${deadlineMs} ms`,
      { cause: error },
    );
  }
}

async function execute(
  connection: Connection,
  id: string,
  command: readonly string[],
  options: WriteOptions & { user?: string; stdin?: string },
  deadline: AbortSignal,
): Promise<ExecResult> {
  const { decision } = options;
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
  // The request's own signal no longer reaches a socket that was taken over.
  addAbortSignal(signal, socket);
  const output = { stdout: createBounded(), stderr: createBounded() };
  try {
    if (options.stdin !== undefined) socket.end(options.stdin);
    if (head.length > 0) socket.unshift(head);
    for await (const { stream, bytes } of demultiplex(socket as AsyncIterable<Buffer>, false)) {
      output[stream].add(bytes);
    }
  } finally {
    socket.destroy();
  }
  const ended = await connection.call("GET", `/exec/${Id}/json`, { signal });
  const { ExitCode } = ended as { ExitCode?: number | null };
  return {
    exitCode: ExitCode ?? -1,
    stdout: output.stdout.text(),
    stderr: output.stderr.text(),
  };
}

/** Bytes up to the bound; decoded as a whole, since frames cut characters. */
function createBounded(): { add(bytes: Buffer): void; text(): string } {
  const kept: Buffer[] = [];
  let leftBytes = OUTPUT_BYTES_MAX;
  return {
    add(bytes) {
      if (leftBytes === 0) return;
      const part = bytes.subarray(0, leftBytes);
      leftBytes -= part.length;
      kept.push(part);
    },
    text: () => Buffer.concat(kept).toString("utf8"),
  };
}
