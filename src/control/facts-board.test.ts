// SPDX-License-Identifier: Apache-2.0
// For how long a request waits for an engine, over a small one that comes and goes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { buildBoard } from "#control/testing/build-board.ts";
import { createDockerEngine } from "#engine/drivers/docker/driver.ts";
import { startSmallEngine } from "#engine/testing/small-engine.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";

const PATIENCE_MS = 3_000;

/** A board over the engine at a socket, with a clock that stands still. */
function openBoard(socketPath: string, stack: AsyncDisposableStack) {
  const clock = createManualClock();
  const docker = { endpoint: `unix://${socketPath}`, env: {} };
  const engine = stack.use(createDockerEngine(docker, { clock, random: () => 0 }));
  const board = buildBoard(engine, clock);
  const begin = (): void => {
    const ending = new AbortController();
    const running = board.run(ending.signal);
    stack.defer(async () => {
      ending.abort();
      await running;
    });
  };
  return { clock, board, begin };
}

test("an engine that was never there and does not answer is not waited for", async () => {
  await using stack = new AsyncDisposableStack();
  await using server = await startSmallEngine();
  const { board, begin } = openBoard(`${server.socketPath}.none`, stack);
  const settled = board.settle(PATIENCE_MS);
  begin();
  await settled;
  assert.match(board.problem ?? "", /ENOENT/);
  await server.kill();
  const refused = openBoard(server.socketPath, stack);
  refused.begin();
  await refused.board.settle(PATIENCE_MS);
  assert.equal(refused.board.ready, false);
});

test("one that was not asked yet, went away just now, or answers and was not read yet is", async () => {
  await using stack = new AsyncDisposableStack();
  await using server = await startSmallEngine();
  const { clock, board, begin } = openBoard(server.socketPath, stack);
  const settled = board.settle(PATIENCE_MS);
  begin();
  await settled;
  assert.ok(board.ready);

  const away = new Promise<void>((resolve) => board.onChange(() => !board.ready && resolve()));
  await server.kill();
  await away;
  let isOver = false;
  const waited = board.settle(PATIENCE_MS).then(() => (isOver = true));
  await nextTurn();
  assert.equal(isOver, false);
  await clock.advance(PATIENCE_MS);
  await waited;
  await clock.advance(10_000);
  await board.settle(PATIENCE_MS);
  assert.equal(board.ready, false, "it is away for long, and was not waited for");

  await server.start();
  const back = board.settle(PATIENCE_MS);
  // The board asks anew after a pause.
  while (!board.ready) await clock.advance(500);
  await back;
});
