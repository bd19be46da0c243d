// SPDX-License-Identifier: Apache-2.0
import type { AgentEnd } from "./agent-options.ts";
import type { SessionStatus } from "./node-session.ts";

/** Tells each reader how it is and what follows. A reader that is slow gets the latest 64. */
export class StatusFeed {
  readonly closed: Promise<AgentEnd>;
  readonly #readers = new Set<(status: SessionStatus) => void>();
  #last: SessionStatus = { state: "joining", reason: "starting" };
  #close: (end: AgentEnd) => void = () => undefined;

  constructor() {
    this.closed = new Promise((resolve) => (this.#close = resolve));
  }

  tell(status: SessionStatus): void {
    this.#last = status;
    for (const reader of this.#readers) reader(status);
  }

  /** Nothing follows. */
  end(end: AgentEnd): void {
    this.tell({ state: "left", reason: end.error?.message ?? end.reason });
    this.#close(end);
  }

  async *read(): AsyncGenerator<SessionStatus> {
    const waiting = [this.#last];
    let wake: () => void = () => undefined;
    const reader = (status: SessionStatus): void => {
      waiting.push(status);
      if (waiting.length > 64) waiting.shift();
      wake();
    };
    this.#readers.add(reader);
    try {
      while (true) {
        const status = waiting.shift();
        if (status === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else {
          yield status;
          if (status.state === "left") return;
        }
      }
    } finally {
      this.#readers.delete(reader);
    }
  }
}
