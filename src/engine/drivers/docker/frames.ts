// SPDX-License-Identifier: Apache-2.0
// The engine's multiplexed streams: frames of an 8-byte head (stream, 0, 0, 0, length) and a body, or plain bytes for a
// container with a terminal; cut into lines.

export interface StreamChunk {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Buffer;
}

/** A frame longer than this is not one: the engine writes at most 16 KiB at once. */
const FRAME_BYTES_MAX = 16 * 1024 * 1024;
const HEAD_BYTES = 8;
const LINE_BYTES_MAX = 256 * 1024;

/** Splits bytes into frames, however the network has cut them. */
export async function* demultiplex(
  source: AsyncIterable<Buffer>,
  tty: boolean,
): AsyncGenerator<StreamChunk> {
  if (tty) {
    for await (const bytes of source) yield { stream: "stdout", bytes };
    return;
  }
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEAD_BYTES) {
      const size = rest.readUInt32BE(4);
      if (size > FRAME_BYTES_MAX) throw new RangeError(`a frame of ${size} bytes`);
      if (rest.length < HEAD_BYTES + size) break;
      const stream = rest[0] === 2 ? "stderr" : "stdout";
      yield { stream, bytes: rest.subarray(HEAD_BYTES, HEAD_BYTES + size) };
      rest = rest.subarray(HEAD_BYTES + size);
    }
  }
}

export interface RawLine {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** Joins chunks into lines, each stream by itself; a line over 256 KiB is cut. */
export async function* splitLines(chunks: AsyncIterable<StreamChunk>): AsyncGenerator<RawLine> {
  const rest: Record<"stdout" | "stderr", Buffer> = {
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
  };
  for await (const { stream, bytes } of chunks) {
    let data = rest[stream].length === 0 ? bytes : Buffer.concat([rest[stream], bytes]);
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10)) {
      yield { stream, text: toText(data.subarray(0, end)) };
      data = data.subarray(end + 1);
    }
    if (data.length > LINE_BYTES_MAX) {
      yield { stream, text: toText(data) };
      data = Buffer.alloc(0);
    }
    rest[stream] = data;
  }
  for (const stream of ["stdout", "stderr"] as const) {
    if (rest[stream].length > 0) yield { stream, text: toText(rest[stream]) };
  }
}

function toText(bytes: Buffer): string {
  const text = bytes.subarray(0, LINE_BYTES_MAX).toString("utf8");
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}
