// SPDX-License-Identifier: Apache-2.0
// Calls about one instance wait for each other; those about others do not.

/** Runs a task when those before it, under the same key, have ended. */
export type TakeTurn = <T>(key: string, task: () => Promise<T>) => Promise<T>;

/** Nobody waits yet. */
export function createTurns(): TakeTurn {
  const turns = new Map<string, Promise<unknown>>();
  return (key, task) => {
    const turn = (turns.get(key) ?? Promise.resolve()).then(task, task);
    const done = turn
      .catch(() => undefined)
      .finally(() => {
        if (turns.get(key) === done) turns.delete(key);
      });
    turns.set(key, done);
    return turn;
  };
}
