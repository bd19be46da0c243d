// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { awaitEnd, collect, toRequest, withContainer, type Rule } from "./rule.ts";

/** Waits for a file, so that the test decides when the container goes on. */
const GATED = "echo first; until test -e /tmp/gate; do sleep 0.05; done; echo done";

const sh = (script: string) => ({ Cmd: ["sh", "-c", script] });

export const logRules: Readonly<Record<string, Rule>> = {
  async "a log's lines are told apart by stream, in the order of each"(fixture) {
    const { engine } = fixture;
    const script = "for i in $(seq 200); do echo out $i; echo err $i >&2; done; echo -n last";
    await withContainer(fixture, toRequest(fixture, "lines", sh(script)), async (id) => {
      await awaitEnd(engine, id);
      const lines = await collect(engine.logs(id));
      const of = (stream: string) =>
        lines.flatMap((line) => (line.stream === stream ? [line.text] : []));
      const numbers = Array.from({ length: 200 }, (_, i) => i + 1);
      assert.deepEqual(of("stdout"), [...numbers.map((i) => `out ${i}`), "last"]);
      assert.deepEqual(
        of("stderr"),
        numbers.map((i) => `err ${i}`),
      );
    });
  },
  async "with a terminal everything is stdout, without the carriage returns"(fixture) {
    const { engine } = fixture;
    const request = toRequest(fixture, "tty", { ...sh("echo a; echo b >&2"), Tty: true });
    await withContainer(fixture, request, async (id) => {
      await awaitEnd(engine, id);
      const lines = await collect(engine.logs(id));
      assert.deepEqual(
        lines.map(({ stream, text }) => `${stream} ${text}`),
        ["stdout a", "stdout b"],
      );
    });
  },
  async "the last lines, those since a time, and their times"(fixture) {
    const { engine } = fixture;
    const script = "echo 1; echo 2; sleep 1; echo 3; echo 4";
    await withContainer(fixture, toRequest(fixture, "since", sh(script)), async (id) => {
      await awaitEnd(engine, id);
      const text = async (options: object) =>
        (await collect(engine.logs(id, options))).map((line) => line.text);
      assert.deepEqual(await text({ tail: 3 }), ["2", "3", "4"]);
      const timed = await collect(engine.logs(id, { timestamps: true }));
      assert.deepEqual(
        timed.map((line) => line.text),
        ["1", "2", "3", "4"],
      );
      const [, second, third] = timed.map((line) => line.atMs ?? 0);
      assert.ok(second !== undefined && third !== undefined && third - second > 900);
      assert.deepEqual(await text({ sinceMs: second + 500 }), ["3", "4"]);
      assert.deepEqual(await text({ untilMs: second + 500 }), ["1", "2"]);
    });
  },
  async "a followed log brings lines as they are written and ends with the container"(fixture) {
    const { engine } = fixture;
    await withContainer(fixture, toRequest(fixture, "follow", sh(GATED)), async (id) => {
      const following = engine.logs(id, { follow: true })[Symbol.asyncIterator]();
      assert.equal(((await following.next()).value as { text: string }).text, "first");
      await engine.exec(id, ["touch", "/tmp/gate"], { decision: "d-log" });
      assert.equal(((await following.next()).value as { text: string }).text, "done");
      assert.equal((await following.next()).done, true);
    });
  },
  async "a follower who gives up ends without an error"(fixture) {
    const { engine } = fixture;
    await withContainer(
      fixture,
      toRequest(fixture, "leave", sh("echo x; sleep 1000")),
      async (id) => {
        const leaving = new AbortController();
        const texts: string[] = [];
        for await (const line of engine.logs(id, { follow: true, signal: leaving.signal })) {
          texts.push(line.text);
          leaving.abort();
        }
        assert.deepEqual(texts, ["x"]);
      },
    );
  },
  async "a line that never ends is cut, never gathered"(fixture) {
    const { engine } = fixture;
    const script = "dd if=/dev/zero bs=1000 count=1000 2>/dev/null; echo; echo end";
    await withContainer(fixture, toRequest(fixture, "long", sh(script)), async (id) => {
      await awaitEnd(engine, id);
      const lines = await collect(engine.logs(id));
      assert.equal(lines.at(-1)?.text, "end");
      assert.ok(lines.length > 2);
      assert.ok(lines.every((line) => line.text.length <= 256 * 1024));
    });
  },
};
