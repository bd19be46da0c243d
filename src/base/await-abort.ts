// SPDX-License-Identifier: Apache-2.0

/** Resolves when the signal aborts, at once when it has already: what goes on until it is told to end waits here. */
export function awaitAbort(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
