// SPDX-License-Identifier: Apache-2.0

/** Runs loops until the stack is disposed of; the promise rejects when one of them fails for good. */
export function runLoops(
  stack: AsyncDisposableStack,
  loops: readonly { run(signal: AbortSignal): Promise<void> }[],
): Promise<never> {
  const stopping = new AbortController();
  const running = Promise.all(loops.map((loop) => loop.run(stopping.signal)));
  running.catch(() => undefined);
  stack.defer(async () => {
    stopping.abort();
    await running.catch(() => undefined);
  });
  const failed = running.then<never>(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined);
  return failed;
}
