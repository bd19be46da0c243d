// SPDX-License-Identifier: Apache-2.0
// Turns for the calls of one contract: so many run at once, others wait, and what could not be answered in time is refused
// when it comes. Under overload those that are let in are answered in time; a queue that is only bounded by
// count answers each just when nobody waits for it any more.
import { FabricError } from "@fairlead/fabric/errors.ts";
import { SLICE_MS } from "./slice.ts";

/** Reason of a call that was refused when it came, as it would not be answered in time. */
export const OVERLOADED = "overloaded";

const RUNNING_MAX = 64;
const WAITING_MAX = 1_000;
/** Share of its deadline that a call may be expected to wait; the rest is for its handler and the way of its answer. */
const WAIT_SHARE = 0.5;
/** Time for turns, as a multiple of what the loop needs for all else under overload, up to this. */
const TURNS_TO_OTHER = 4;
const SLICE_MS_MAX = 50;
/** The pace is a mean over so many turns, and four times those that run at once: they may end together. */
const PACE_TURNS = 32;

export interface TurnstileOptions {
  /** Calls that run at once; 64 by default. */
  readonly runningMax?: number | undefined;
  /** Calls that wait at most; 1,000 by default. */
  readonly waitingMax?: number | undefined;
  /** Steady clock, milliseconds. */
  readonly nowMs?: () => number;
}

/** A call that asks for its turn. */
export interface TurnRequest {
  /** When nobody waits for its answer any more, on the clock of the turnstile; Infinity for never. */
  readonly endMs: number;
  /** Aborts when nobody waits for its answer any more. */
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly endMs: number;
  readonly start: () => void;
  readonly drop: (error: FabricError) => void;
}

/** Lets at most so many run at once. */
export class Turnstile {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #keep: number;
  readonly nowMs: () => number;
  readonly #waiting = new Set<Waiting>();
  #running = 0;
  #idle: (() => void)[] = [];
  /** When all turns were taken, or one ended since; for the pace. */
  #markMs = 0;
  #paceTurns = 0;
  #paceMs = 0;
  /** When the first turn began since the loop has turned; undefined: none did. */
  #sliceMs: number | undefined;
  /** When the time for turns was over; undefined: it is not. */
  #outMs: number | undefined;
  #sliceLengthMs = SLICE_MS;

  constructor(options: TurnstileOptions = {}) {
    this.#runningMax = options.runningMax ?? RUNNING_MAX;
    this.#waitingMax = options.waitingMax ?? WAITING_MAX;
    this.nowMs = options.nowMs ?? (() => performance.now());
    this.#keep = 1 - 1 / (PACE_TURNS + 4 * this.#runningMax);
  }

  get load(): number {
    return (this.#running + this.#waiting.size) / this.#runningMax;
  }

  /**
   * Throws `resource_exhausted` when one more call would wait too long: too many wait, or, by the pace of late, its turn
   * would come after half its deadline. `deadlineMs`: from now; 0 for none.
   */
  checkRoom(deadlineMs: number): void {
    const waiting = this.#waiting.size;
    if (waiting === 0 && this.#running < this.#runningMax) return;
    if (waiting >= this.#waitingMax)
      throw refuseCall(`${waiting} calls are waiting already`, waiting);
    // Until as many turns are over as run at once, the first of them says little: then it is taken for less.
    const waitMs = ((waiting + 1) * this.#paceMs) / Math.max(this.#runningMax, this.#paceTurns);
    if (deadlineMs === 0 || waitMs <= deadlineMs * WAIT_SHARE) return;
    const message = `${waiting} calls are waiting already: this one's turn would come after ${Math.ceil(waitMs)} ms of its ${deadlineMs} ms`;
    throw refuseCall(message, waiting);
  }

  /** Runs `work` when it is its turn. Throws, and never runs it, when by then nobody waits for its answer. */
  async run<T>(work: () => Promise<T>, request: TurnRequest): Promise<T> {
    const isFree = this.#waiting.size === 0 && this.#running < this.#runningMax;
    if (isFree && this.#hasTime(this.nowMs())) this.#begin();
    else await this.#wait(request);
    try {
      return await work();
    } finally {
      this.#release();
    }
  }

  /** Resolves once nothing runs and nothing waits. */
  async settle(): Promise<void> {
    if (this.#running + this.#waiting.size > 0)
      await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #wait({ endMs, signal }: TurnRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0 && this.#running < this.#runningMax) this.#markMs = this.nowMs();
      const waiting: Waiting = { endMs, start: resolve, drop: reject };
      this.#waiting.add(waiting);
      const leave = (): void => {
        if (!this.#waiting.delete(waiting)) return;
        reject(FabricError.from(signal.reason, "canceled"));
        this.#tellIdle();
      };
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #begin(): void {
    if (++this.#running === this.#runningMax) this.#markMs = this.nowMs();
  }

  #release(): void {
    const nowMs = this.nowMs();
    if (this.#running === this.#runningMax || this.#waiting.size > 0) {
      this.#paceTurns = this.#paceTurns * this.#keep + 1;
      this.#paceMs = this.#paceMs * this.#keep + nowMs - this.#markMs;
      this.#markMs = nowMs;
    }
    this.#running--;
    if (this.#waiting.size > 0 && this.#hasTime(nowMs)) this.#startNext(nowMs);
    this.#tellIdle();
  }

  /**
   * Whether a turn may begin before the loop turns. Handlers that wait for nothing run while a socket is being read: without
   * a pause what follows in it would wait there, unseen, for longer than anybody waits for its answer.
   */
  #hasTime(nowMs: number): boolean {
    if (this.#sliceMs !== undefined) {
      if (nowMs - this.#sliceMs < this.#sliceLengthMs) return true;
      this.#outMs ??= nowMs;
      return false;
    }
    this.#sliceMs = nowMs;
    setImmediate(() => this.#onTurn());
    return true;
  }

  /** The loop has read what had arrived, calls that are off among it. */
  #onTurn(): void {
    const nowMs = this.nowMs();
    // What is refused has to be read too: turns get a share of the time, or all of it would go into refusing.
    const otherMs = nowMs - (this.#outMs ?? nowMs);
    this.#sliceLengthMs = Math.min(SLICE_MS_MAX, Math.max(SLICE_MS, otherMs * TURNS_TO_OTHER));
    this.#sliceMs = this.#outMs = undefined;
    if (this.#waiting.size === 0 || this.#running >= this.#runningMax) return;
    // One at a time: what it does at once is done before the next.
    if (this.#hasTime(nowMs)) this.#startNext(nowMs);
    this.#tellIdle();
  }

  #startNext(nowMs: number): void {
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      if (waiting.endMs > nowMs) {
        this.#begin();
        return waiting.start();
      }
      waiting.drop(new FabricError("deadline_exceeded", "its turn did not come in time"));
    }
  }

  #tellIdle(): void {
    if (this.#running + this.#waiting.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function refuseCall(message: string, waiting: number): FabricError {
  return new FabricError("resource_exhausted", message, {
    reason: OVERLOADED,
    facts: { waiting: String(waiting) },
  });
}
