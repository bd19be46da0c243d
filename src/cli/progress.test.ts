// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ServiceView } from "@fairlead/protocol/views.ts";
import { formatWhere } from "./format.ts";
import { foldServices } from "./progress.ts";
import { createStyle } from "./style.ts";
import { detectTerminal } from "./terminal.ts";

function service(name: string, state: ServiceView["state"]): ServiceView {
  return {
    scope: "shop",
    name,
    mode: "manage",
    state,
    reason: state === "ok" ? "" : "waits",
    image: "i",
    wanted: 1,
    running: state === "ok" ? 1 : 0,
    healthy: 0,
    current: 1,
    ports: [],
    dependsOn: [],
    heal: "",
    healUsed: 0,
    healMax: 5,
    warnings: [],
    instances: [],
  };
}

describe("the live region", () => {
  const view = {
    scope: "shop",
    mode: "manage" as const,
    settled: false,
    removing: false,
    files: [],
    services: [...Array(40).keys()].map((at) => service(`s${at}`, at === 33 ? "starting" : "ok")),
  };
  const style = createStyle(false, true);

  test("is never higher than it may be, shows the restless first and counts the rest", () => {
    const lines = foldServices(view, 5, style);
    assert.equal(lines.length, 5);
    assert.match(lines[0] ?? "", /^! s33 +0\/1 starting +waits$/);
    assert.equal(lines[4], "  and 36 more services");
  });
  test("keeps the order of the file when all fit", () => {
    assert.match(foldServices(view, 40, style)[0] ?? "", /s0 /);
    assert.equal(foldServices(view, 40, style).length, 40);
  });
});

test("where something was done is said of what belongs to a host, and by whom of what belongs to the fleet", () => {
  assert.equal(formatWhere({ act: "instance.create", node: "h2" }), " on h2");
  assert.equal(formatWhere({ act: "service.place", node: "h2" }), " (by h2)");
  assert.equal(formatWhere({ act: "node.drain", node: "h2" }), " (by h2)");
  assert.equal(formatWhere({ act: "instance.create", node: undefined }), "");
});

describe("detectTerminal()", () => {
  const tty = { isTTY: true, columns: 100, rows: 30 };
  const auto = { color: "auto", progress: "auto" } as const;
  const detect = (env: Record<string, string>, stream: { isTTY?: boolean } = tty) =>
    detectTerminal({ env, stdout: stream, stderr: stream }, auto);

  test("a terminal gets colour and a live region; NO_COLOR takes colour and nothing else", () => {
    assert.deepEqual([detect({}).color, detect({}).progress, detect({}).live], [true, "tty", true]);
    const plain = detect({ NO_COLOR: "1" });
    assert.deepEqual([plain.color, plain.progress, plain.live], [false, "tty", true]);
    assert.equal(detect({ NO_COLOR: "" }).color, true);
  });
  test("TERM=dumb, CI and a pipe take both", () => {
    for (const [env, stream] of [
      [{ TERM: "dumb" }, tty],
      [{ CI: "true" }, tty],
      [{}, {}],
    ] as const) {
      const found = detect(env, stream);
      assert.deepEqual([found.color, found.progress, found.live], [false, "plain", false]);
    }
  });
  test("the locale decides on Unicode: LC_ALL before LC_CTYPE before LANG", () => {
    assert.equal(detect({ LANG: "de_DE.UTF-8" }).unicode, true);
    assert.equal(detect({ LANG: "de_DE.UTF-8", LC_ALL: "C" }).unicode, false);
    assert.equal(detect({ LC_CTYPE: "C.utf8", LANG: "C" }).unicode, true);
    assert.equal(detect({}).unicode, false);
  });
});
