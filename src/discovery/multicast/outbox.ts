// SPDX-License-Identifier: Apache-2.0
// What is to be sent, and when. Requests of a moment are gathered, so that a hundred who ask get one answer.
import type { Clock, Random } from "#base/clock.ts";
import type { Sealer } from "#datagram/seal.ts";
import type { Carrier } from "./carrier.ts";
import { encodeDatagram, type Message } from "./datagram.ts";
import type { OwnRecords } from "./own-records.ts";

export interface OutboxOptions {
  readonly carrier: Pick<Carrier, "send">;
  readonly sealer: Sealer;
  readonly own: OwnRecords;
  readonly sender: string;
  readonly incarnation: number;
  readonly heartbeatMs: number;
}

export interface Outbox {
  readonly sent: number;
  /** Sends one message now. */
  send(message: Message): void;
  /** Says who we are and asks who the others are, several times during the first moments. */
  join(): void;
  /** Records have changed: they are sent soon, and beats more often for a moment. */
  change(slots: readonly number[]): void;
  /** Somebody wants these records, or only a beat. */
  repeat(slots: readonly number[]): void;
  /** Somebody is new: it gets all when that is little, else a beat from which it sees what to ask for. */
  greet(): void;
  /** Beats when it is time. */
  tick(nowMs: number): void;
  /** Resolves when what was handed to the kernel is on its way. */
  flush(): Promise<void>;
  /** Sends nothing by itself any more. */
  close(): void;
}

const BEATS_PER_HEARTBEAT = 3;
/** After a change, in milliseconds: beats by which those who lost it see that they did. */
const REPEATS_MS = [40, 120, 280, 600, 1_000, 1_500, 2_100];
const GATHER_MS = 4;
/** Records sent at once; the next follow after a pause, so that no receiver is flooded. */
const RECORDS_MAX = 32;
const PAUSE_MS = 20;
const GREETING_RECORDS_MAX = 16;

/** An outbox that sends to the group. */
export function createOutbox(
  options: OutboxOptions,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Outbox {
  const { carrier, sealer, own, sender, incarnation, heartbeatMs } = options;
  const closing = new AbortController();
  const wanted = new Set<number>();
  const sending = new Set<Promise<void>>();
  let beatWanted = false;
  let gathering = false;
  let beatAtMs = 0;
  let repeatsAtMs: number[] = [];
  let helloUntilMs = 0;
  let sequence = 0;

  function send(message: Message): void {
    sequence++;
    const stampMs = Math.floor(clock.nowMs());
    const bytes = encodeDatagram({ sender, incarnation, sequence, stampMs }, message);
    const { promise, resolve } = Promise.withResolvers<void>();
    sending.add(promise);
    // A network that is away is no error here: beats go on, and are heard when it is back.
    carrier.send(sealer.seal(bytes), () => {
      sending.delete(promise);
      resolve();
    });
  }

  function beat(): void {
    for (const message of own.listBeats(heartbeatMs)) send(message);
  }

  /** Sends what was gathered; what is too much for one moment follows in the next. */
  function sendWanted(): void {
    let count = 0;
    for (const slot of wanted) {
      if (count++ >= RECORDS_MAX) break;
      wanted.delete(slot);
      for (const message of own.listParts(slot)) send(message);
    }
    if (beatWanted) beat();
    beatWanted = false;
  }

  async function gather(delayMs: number): Promise<void> {
    gathering = true;
    let pauseMs = delayMs;
    while (wanted.size > 0 || beatWanted) {
      await clock.sleep(pauseMs, closing.signal);
      sendWanted();
      pauseMs = PAUSE_MS;
    }
  }

  function soon(delayMs = GATHER_MS): void {
    if (gathering || closing.signal.aborted) return;
    gather(delayMs)
      .catch(() => undefined)
      .finally(() => {
        gathering = false;
      });
  }

  function startRepeats(nowMs: number): void {
    repeatsAtMs = REPEATS_MS.map((delayMs) => nowMs + delayMs * (0.75 + random() / 2));
  }

  function change(slots: readonly number[]): void {
    for (const slot of slots) wanted.add(slot);
    beatWanted = true;
    startRepeats(clock.monotonicMs());
    soon();
  }

  function hello(): void {
    send({ kind: "ask", target: "", slots: [] });
  }

  return {
    get sent() {
      return sequence;
    },
    send,
    change,
    join() {
      const nowMs = clock.monotonicMs();
      helloUntilMs = nowMs + (REPEATS_MS.at(-1) ?? 0) * 1.25;
      startRepeats(nowMs);
      beat();
      hello();
    },
    repeat(slots) {
      for (const slot of slots) wanted.add(slot);
      beatWanted = true;
      soon();
    },
    greet() {
      const slots = own.slots();
      if (slots.length <= GREETING_RECORDS_MAX) for (const slot of slots) wanted.add(slot);
      beatWanted = true;
      // Not all hosts at once.
      soon(GATHER_MS + random() * PAUSE_MS);
    },
    tick(nowMs) {
      const dueCount = repeatsAtMs.filter((atMs) => atMs <= nowMs).length;
      if (dueCount === 0 && nowMs < beatAtMs) return;
      repeatsAtMs = repeatsAtMs.slice(dueCount);
      beatAtMs = nowMs + (heartbeatMs / BEATS_PER_HEARTBEAT) * (0.9 + random() / 10);
      beat();
      if (nowMs < helloUntilMs) hello();
    },
    async flush() {
      await Promise.all(sending);
    },
    close: () => closing.abort(),
  };
}
