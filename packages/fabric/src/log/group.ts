// SPDX-License-Identifier: Apache-2.0
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Group, GroupOptions, KeptMessage } from "./message-log.ts";
import type { Holder, Room, SharedGroup, Taker } from "./shared-group.ts";

/** A handle on a group; `leave` is told, as work, when it is closed. */
export function createGroup(
  room: Room,
  shared: SharedGroup,
  options: GroupOptions,
  leave: () => void,
): Group {
  const holder: Holder = { ...options, count: 0 };
  const closing = new AbortController();

  /** Runs `work` if this handle still holds the message. */
  function settle(sequence: number, work: () => void): Promise<void> {
    return room.run(() => {
      if (shared.isHeldBy(holder, sequence)) work();
    });
  }

  function ask(
    mode: Taker["mode"],
    countMax: number,
    either: AbortSignal,
  ): Promise<readonly KeptMessage[]> {
    either.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<readonly KeptMessage[]>();
    const finish = (): void => {
      either.removeEventListener("abort", stop);
      shared.removeTaker(taker);
    };
    const taker: Taker = {
      mode,
      holder,
      countMax,
      resolve(messages) {
        finish();
        resolve(messages);
      },
      reject(thrown) {
        finish();
        reject(thrown);
      },
    };
    const stop = (): void => taker.reject(either.reason);
    either.addEventListener("abort", stop, { once: true });
    shared.addTaker(taker);
    return promise;
  }

  const withClosing = (signal: AbortSignal): AbortSignal =>
    AbortSignal.any([signal, closing.signal]);

  return {
    take: (countMax, signal) => ask("wait", countMax, withClosing(signal)),
    takeNow: async (countMax) => ask("now", countMax, closing.signal),
    async awaitReady(signal) {
      await ask("ready", 0, withClosing(signal));
    },
    claim: (sequences) => room.run(() => shared.claim(holder, sequences)),
    ack: (sequence) => settle(sequence, () => shared.settle(sequence)),
    nack: (sequence, { delayMs }) => settle(sequence, () => shared.giveBack(sequence, { delayMs })),
    release: () =>
      room.run(() => {
        for (const sequence of shared.listHeldBy(holder)) shared.giveBack(sequence, { uncount: 1 });
      }),
    reject: (sequence, reason) => settle(sequence, () => shared.bury(sequence, reason)),
    async [Symbol.asyncDispose]() {
      if (closing.signal.aborted) return;
      closing.abort(
        new FabricError("failed_precondition", "the group is closed", { reason: "log-closed" }),
      );
      await room.run(() => {
        for (const sequence of shared.listHeldBy(holder)) shared.giveBack(sequence, {});
        leave();
      });
    },
  };
}
