// SPDX-License-Identifier: Apache-2.0
// The side that has an image: says so, and gives it as the engine saves it. An engine saves the same image in the same bytes
// each time, so who was cut off goes on where it was: it says what it has, and that is compared.
import { createHash } from "node:crypto";
import { awaitAbort } from "#base/await-abort.ts";
import { baseErrors, FairleadError } from "#base/errors.ts";
import { createLimiter, type Limiter } from "#base/limiter.ts";
import { controlErrors } from "#control/errors.ts";
import type { EngineReader } from "#engine/engine.ts";
import type { PeerHandler, Peering } from "#peering/peering.ts";
import { describeImage, FIND_PATH, GIVE_PATH } from "./given-image.ts";

/** What is needed of an engine. */
export type ImageSource = Pick<EngineReader, "inspectImage" | "exportImage">;

/** Each costs the engine the image's size on its disk. */
const GIVING_MAX = 2;
const WAITING_MAX = 32;
const ID = /^sha256:[0-9a-f]{64}$/;

/** Waits for a place, and has it until the signal aborts. */
async function takePlace(limiter: Limiter, signal: AbortSignal): Promise<void> {
  if (limiter.waiting >= WAITING_MAX)
    throw new FairleadError(baseErrors.overloaded, "many nodes ask for images at once");
  await new Promise<void>((resolve) => {
    const task = (): Promise<void> => {
      resolve();
      return awaitAbort(signal);
    };
    void limiter.run(task);
  });
  signal.throwIfAborted();
}

async function* putBefore(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    if (first.length > 0) yield first;
    for (;;) {
      const next = await rest.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await rest.return?.();
  }
}

/** The bytes after the first `from`. Throws FL0743 `image-differs` unless those have the SHA-256 `prefix`. */
async function skip(
  all: AsyncIterable<Uint8Array>,
  from: number,
  prefix: string,
): Promise<AsyncIterable<Uint8Array>> {
  const pieces = all[Symbol.asyncIterator]();
  const hash = createHash("sha256");
  let rest: Uint8Array = new Uint8Array();
  for (let left = from; left > 0;) {
    const next = await pieces.next();
    if (next.done === true) break;
    const known = next.value.subarray(0, left);
    hash.update(known);
    left -= known.length;
    rest = next.value.subarray(known.length);
  }
  if (hash.digest("hex") === prefix) return putBefore(rest, pieces);
  await pieces.return?.();
  throw new FairleadError(
    controlErrors["image-differs"],
    `the first ${from} bytes are others than those that were given before`,
  );
}

function createGive(engine: ImageSource): PeerHandler {
  const limiter = createLimiter(GIVING_MAX);
  return async ({ query, signal }) => {
    const id = query.get("id") ?? "";
    const from = Number(query.get("from"));
    if (!ID.test(id) || !Number.isSafeInteger(from) || from < 0)
      throw new FairleadError(baseErrors["invalid-argument"], "that is no image and offset");
    await takePlace(limiter, signal);
    const all = await engine.exportImage(id, { signal });
    const chunks = from === 0 ? all : await skip(all, from, query.get("prefix") ?? "");
    return { kind: "stream", chunks };
  };
}

/** Lets other nodes have the images of this one's engine. */
export function giveImages(peering: Pick<Peering, "answer">, engine: ImageSource): void {
  peering.answer(FIND_PATH, async ({ query, signal }) => {
    const details = await engine.inspectImage(query.get("reference") ?? "", { signal });
    return { kind: "value", value: details === undefined ? null : describeImage(details) };
  });
  peering.answer(GIVE_PATH, createGive(engine));
}
