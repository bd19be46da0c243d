// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "react";

const EVERY_MS = 5_000;

/** What was read last, and why it could not be read since; neither before the first answer. */
export interface Polled<T> {
  readonly answer?: T;
  readonly problem?: string;
}

/** Reads now and every 5 s, and at once when `of` changes: what `read` reads; nothing while that is undefined. */
export function usePolled<T>(of: string | undefined, read: () => Promise<T>): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({});
  useEffect(() => {
    if (of === undefined) return undefined;
    let gone = false;
    const poll = (): void => {
      read().then(
        (answer) => {
          if (!gone) setPolled({ answer });
        },
        (thrown: unknown) => {
          const problem = thrown instanceof Error ? thrown.message : String(thrown);
          if (!gone) setPolled((before) => ({ ...before, problem }));
        },
      );
    };
    poll();
    const timer = setInterval(poll, EVERY_MS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [of]);
  return polled;
}
