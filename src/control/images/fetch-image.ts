// SPDX-License-Identifier: Apache-2.0
// Gets an image from another node into this one's engine, and believes nothing: the engine's id of an image is the hash of its
// content, so the image is the right one when the engine knows the id that was asked for.
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { Clock } from "#base/clock.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import { formatSize } from "#base/size.ts";
import { controlErrors } from "#control/errors.ts";
import type { Engine } from "#engine/engine.ts";
import type { Peering } from "#peering/peering.ts";
import { findGivers, type Giver, type WantedImage } from "./find-givers.ts";
import { receiveImage } from "./receive-image.ts";

export interface FetchParts {
  readonly engine: Engine;
  readonly peering: Peering;
  readonly nodes: readonly NodeView[];
  readonly clock: Clock;
}

export interface FetchOptions {
  readonly decision: string;
  readonly signal: AbortSignal;
  /** Told how far it is, every two seconds. */
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** The engine takes an image whole; how long that takes is for whoever watches that it moves. */
const LOAD_MS_MAX = 24 * 3_600_000;
/** Without a byte in or a word out for this long, the engine is taken to hang. */
const STILL_MS_MAX = 600_000;
const LOOK_MS = 5_000;
const PROGRESS_MS = 2_000;
const NAMED_MAX = 8;

/** `a; b; and 3 others`. */
function nameSome(reasons: readonly string[]): string {
  const rest = reasons.length - NAMED_MAX;
  const named = reasons.slice(0, NAMED_MAX);
  return [...named, ...(rest > 0 ? [`and ${rest} others`] : [])].join("; ");
}

function failNowhere({ reference }: WantedImage, others: readonly string[]): never {
  const said = others.length === 0 ? "there is no other node" : nameSome(others);
  throw new FairleadError(
    controlErrors["image-nowhere"],
    `no other node can give ${reference}: ${said}`,
  );
}

/** One load into the engine: what came, of whom, and what went wrong. */
function createJourney({ clock }: FetchParts, onProgress: FetchOptions["onProgress"]) {
  const cuts: string[] = [];
  let giver: Giver | undefined;
  let sizeBytes = 0;
  let movedMs = clock.monotonicMs();
  let toldMs = Number.NEGATIVE_INFINITY;
  return {
    cuts,
    stillMs: () => clock.monotonicMs() - movedMs,
    onBytes(nowBytes: number, by: Giver) {
      sizeBytes = nowBytes;
      giver = by;
      movedMs = clock.monotonicMs();
      if (movedMs - toldMs < PROGRESS_MS) return;
      toldMs = movedMs;
      const whole = formatSize(by.image.sizeBytes);
      onProgress?.(`${formatSize(nowBytes)} of about ${whole} from ${by.name}`);
    },
    onCut(by: Giver, atBytes: number, why: string) {
      movedMs = clock.monotonicMs();
      cuts.push(`${by.name} was cut off at ${formatSize(atBytes)}: ${why}`);
    },
    describe: () => `${formatSize(sizeBytes)} from ${giver?.name ?? "nobody"}`,
  };
}

type Journey = ReturnType<typeof createJourney>;

/** Aborts what stands still. */
async function watchStill(journey: Journey, { clock }: FetchParts, ended: AbortController) {
  while (!ended.signal.aborted) {
    await clock.sleep(LOOK_MS, ended.signal).catch(() => undefined);
    if (journey.stillMs() > STILL_MS_MAX)
      ended.abort(new FairleadError(controlErrors["image-not-fetched"], "the engine stands still"));
  }
}

async function load(
  parts: FetchParts,
  givers: readonly Giver[],
  journey: Journey,
  options: FetchOptions,
): Promise<void> {
  const { engine, peering, clock } = parts;
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const watching = watchStill(journey, parts, ended);
  let failure: unknown;
  async function* follow(): AsyncGenerator<Uint8Array> {
    try {
      yield* receiveImage({ peering, clock, givers, signal, ...journey });
    } catch (thrown) {
      failure = thrown;
      throw thrown;
    }
  }
  try {
    const { decision } = options;
    await engine.loadImage(follow(), { decision, signal, deadlineMs: LOAD_MS_MAX });
  } catch (thrown) {
    // What the engine says of a stream that ended too early is not why it did.
    throw failure ?? thrown;
  } finally {
    ended.abort();
    await watching;
  }
}

/** Gives the image the name by which it is wanted, unless it has it. Throws FL0742 when it is not there. */
async function settleName(
  { engine }: FetchParts,
  id: string,
  { reference }: WantedImage,
  { decision, signal }: FetchOptions,
): Promise<void> {
  if ((await engine.inspectImage(id, { signal })) === undefined)
    throw new FairleadError(
      controlErrors["image-not-fetched"],
      `what came was another image than ${id}`,
    );
  const named = await engine.inspectImage(reference, { signal });
  if (named?.id !== id) await engine.tagImage(id, reference, { decision, signal });
}

/**
 * Gets the image from the nearest node that has it, else from the next. Says what was done. Throws FL0741 `image-nowhere`, FL0742
 * `image-not-fetched`; the engine has the image under its name, or not.
 */
export async function fetchImage(
  parts: FetchParts,
  wanted: WantedImage,
  options: FetchOptions,
): Promise<string> {
  const { engine, peering, nodes, clock } = parts;
  const { signal } = options;
  const { givers, others } = await findGivers(peering, nodes, wanted, signal);
  const [first] = givers;
  if (first === undefined) failNowhere(wanted, others);
  const { id } = first.image;
  const beganMs = clock.monotonicMs();
  const failed: string[] = [];
  for (let turn = 0; turn < givers.length; turn++) {
    const journey = createJourney(parts, options.onProgress);
    try {
      const known = await engine.inspectImage(id, { signal });
      if (known === undefined) await load(parts, givers.slice(turn), journey, options);
      await settleName(parts, id, wanted, options);
      const took = formatDuration(clock.monotonicMs() - beganMs);
      const what = known === undefined ? journey.describe() : "it was here without its name";
      const notes = [...failed, ...journey.cuts, ...others];
      const also = notes.length === 0 ? "" : `; ${nameSome(notes)}`;
      return `fetched ${id.slice(0, 19)} in ${took}: ${what}${also}`;
    } catch (thrown) {
      signal.throwIfAborted();
      const { message } = FairleadError.from(thrown);
      failed.push(...journey.cuts, `from ${givers[turn]?.name ?? ""}: ${message}`);
    }
  }
  throw new FairleadError(
    controlErrors["image-not-fetched"],
    `${wanted.reference} was not brought here: ${nameSome([...failed, ...others])}`,
  );
}
