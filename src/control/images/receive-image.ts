// SPDX-License-Identifier: Apache-2.0
// An image on its way: one stream for the engine, whatever happens to the connections behind it. After a cut it goes on with
// the same node, else with the next that saves the image in the same bytes.
import { createHash } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Peering } from "#peering/peering.ts";
import type { Giver } from "./find-givers.ts";
import { GIVE_PATH } from "./given-image.ts";

export interface ReceiveOptions {
  readonly peering: Peering;
  readonly clock: Clock;
  /** At least one, all with the same image; the first gives, unless it cannot. */
  readonly givers: readonly Giver[];
  readonly signal: AbortSignal;
  /** After each piece: how much there is by now, and of whom. */
  readonly onBytes: (sizeBytes: number, giver: Giver) => void;
  /** Told when it was cut: by whom, how much there was, and why. */
  readonly onCut: (giver: Giver, sizeBytes: number, why: string) => void;
}

/** Tries in a row that bring nothing, before the next node has its turn. */
const TRIES_MAX = 4;
const RETRY_MS = 500;
/** What another try at the same node can mend. */
const PASSING: ReadonlySet<string> = new Set(["unavailable", "resource_exhausted"]);

/** The code of an error of a connection; of a refusal, that of the other node's error. */
function readCode(thrown: unknown): string {
  const { code, facts } = FairleadError.from(thrown);
  const told = facts["code"];
  return code === "failed_precondition" && typeof told === "string" ? told : code;
}

/** The image's bytes. Throws the last reason when no node is left. */
export async function* receiveImage(options: ReceiveOptions): AsyncGenerator<Uint8Array> {
  const { peering, clock, givers, signal, onBytes, onCut } = options;
  const hash = createHash("sha256");
  let from = 0;
  let tries = 0;
  let reason: unknown;
  for (let turn = 0; ;) {
    const giver = givers[turn];
    if (giver === undefined) throw FairleadError.from(reason);
    const query = { id: giver.image.id, from: String(from), prefix: hash.copy().digest("hex") };
    try {
      for await (const piece of await peering.stream(giver.place, GIVE_PATH, { query, signal })) {
        hash.update(piece);
        from += piece.length;
        tries = 0;
        onBytes(from, giver);
        yield piece;
      }
      return;
    } catch (thrown) {
      signal.throwIfAborted();
      reason = thrown;
      onCut(giver, from, FairleadError.from(thrown).message);
      const code = readCode(thrown);
      // What is garbled is in the engine's hands already.
      if (code === "data_loss") throw thrown;
      if (PASSING.has(code) && ++tries < TRIES_MAX) {
        await clock.sleep(RETRY_MS * 2 ** (tries - 1), signal);
      } else {
        turn++;
        tries = 0;
      }
    }
  }
}
