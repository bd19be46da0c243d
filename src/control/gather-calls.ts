// SPDX-License-Identifier: Apache-2.0

/**
 * Many calls of one moment make one run of `work`, after what else is done in that moment. Each call resolves when the run
 * that it was gathered into has ended; a call during a run asks for another.
 */
export function gatherCalls(work: () => void): () => Promise<void> {
  let due: Promise<void> | undefined;
  return () => {
    due ??= new Promise((resolve) =>
      setImmediate(() => {
        due = undefined;
        work();
        resolve();
      }),
    );
    return due;
  };
}
