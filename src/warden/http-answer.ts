// SPDX-License-Identifier: Apache-2.0
// Reads answers of HTTP/1.1 from a connection that is kept: head, then a body of a length, in chunks, or none. For an engine
// that is trusted with what it says, not with saying it well: what is not as it has to be ends the connection.
import type { IncomingHttpHeaders } from "node:http";

/** An answer as it came. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Whether the connection may be used again. */
  readonly isKept: boolean;
}

const HEAD_BYTES_MAX = 64 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");
const STATUS = /^HTTP\/1\.1 (\d{3})(?: |$)/;
const CHUNK = /^([0-9a-fA-F]{1,8})(?:;.*)?$/;

interface Head {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** Where the body begins. */
  readonly end: number;
}

function readHead(bytes: Buffer, end: number): Head {
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const status = Number(STATUS.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new Error("what it says is no answer");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf(":");
    if (at <= 0) throw new Error("a header of its has no name");
    headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
  }
  return { status, headers, end: end + HEAD_END.length };
}

/** The body in chunks from `at` on; undefined when it is not all there. */
function readChunks(bytes: Buffer, at: number): string | undefined {
  const parts: Buffer[] = [];
  for (;;) {
    const lineEnd = bytes.indexOf(LINE_END, at);
    if (lineEnd === -1) return undefined;
    const size = CHUNK.exec(bytes.toString("latin1", at, lineEnd))?.[1];
    if (size === undefined) throw new Error("a chunk of its has no length");
    const begin = lineEnd + LINE_END.length;
    const length = Number.parseInt(size, 16);
    const end = begin + length;
    if (bytes.length < end + LINE_END.length) return undefined;
    if (!bytes.subarray(end, end + LINE_END.length).equals(LINE_END))
      throw new Error("a chunk of its has another length, or trailers");
    if (length === 0) return Buffer.concat(parts).toString("utf8");
    parts.push(bytes.subarray(begin, end));
    at = end + LINE_END.length;
  }
}

/** Takes bytes until an answer is whole. One reader is for one answer. */
export class AnswerReader {
  readonly #hasBody: boolean;
  readonly #bytesMax: number;
  #chunks: Buffer[] = [];
  #sizeBytes = 0;
  #head: Head | undefined;

  /** `method` is that of the question: HEAD has no body. */
  constructor(method: string, bytesMax: number) {
    this.#hasBody = method !== "HEAD";
    this.#bytesMax = bytesMax;
  }

  /** The answer once it is whole. Throws for what is none, and for one that has no end. */
  take(chunk: Buffer): HttpAnswer | undefined {
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes > this.#bytesMax) throw new Error("its answer has no end");
    const head = (this.#head ??= this.#readHead());
    if (head === undefined) return undefined;
    const { status, headers, end } = head;
    const isEmpty = !this.#hasBody || status === 204 || status === 304;
    const isChunked = headers["transfer-encoding"]?.toLowerCase() === "chunked";
    // Chunks are looked through again only when the last bytes may be their end.
    if (
      isChunked &&
      !isEmpty &&
      !chunk.subarray(-4).equals(HEAD_END.subarray(-Math.min(4, chunk.length)))
    )
      return undefined;
    const length = isEmpty ? 0 : Number(headers["content-length"]);
    if (!isChunked && !Number.isSafeInteger(length)) throw new Error("its answer has no length");
    if (!isChunked && this.#sizeBytes < end + length) return undefined;
    const bytes = this.#join();
    const text = isEmpty
      ? ""
      : isChunked
        ? readChunks(bytes, end)
        : bytes.toString("utf8", end, end + length);
    if (text === undefined) return undefined;
    return { status, headers, text, isKept: headers["connection"]?.toLowerCase() !== "close" };
  }

  #readHead(): Head | undefined {
    const bytes = this.#join();
    const end = bytes.indexOf(HEAD_END);
    if (end !== -1) return readHead(bytes, end);
    if (bytes.length > HEAD_BYTES_MAX) throw new Error("the head of its answer has no end");
    return undefined;
  }

  #join(): Buffer {
    const [first = Buffer.alloc(0)] = this.#chunks;
    const bytes = this.#chunks.length > 1 ? Buffer.concat(this.#chunks) : first;
    this.#chunks = [bytes];
    return bytes;
  }
}
