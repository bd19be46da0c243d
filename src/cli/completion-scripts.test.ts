// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { COMMANDS } from "./command-table.ts";
import { renderBash, renderFish, renderZsh } from "./completion-scripts.ts";

const shown = COMMANDS.filter((command) => command.hidden !== true);

/** What bash offers for a line whose last word is being typed. */
function complete(...words: string[]): string[] {
  const script = [
    renderBash(),
    'fairlead() { [ "$1 $2" = "complete service" ] && echo "web worker"; }',
    'COMP_WORDS=("$@")',
    "COMP_CWORD=$(($# - 1))",
    "_fairlead",
    'printf "%s\\n" "${COMPREPLY[@]}"',
  ].join("\n");
  const { status, stderr, stdout } = spawnSync("bash", ["-s", "--", ...words], {
    input: script,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, "");
  return stdout.split("\n").filter((word) => word !== "");
}

describe("completion for bash", () => {
  test("offers commands, but not the internal ones", () => {
    const offered = complete("fairlead", "");
    assert.deepEqual(offered.sort(), shown.map((command) => command.name).sort());
  });
  test("offers a command's flags", () => {
    assert.deepEqual(complete("fairlead", "up", "--pro").sort(), [
      "--profile",
      "--progress",
      "--project-directory",
      "--project-name",
    ]);
  });
  test("offers a flag's words", () => {
    assert.deepEqual(complete("fairlead", "ps", "-o", "j"), ["json", "jsonl"]);
  });
  test("offers names of services from the cache", () => {
    assert.deepEqual(complete("fairlead", "why", "w"), ["web", "worker"]);
  });
  test("offers words of an argument", () => {
    assert.deepEqual(complete("fairlead", "completion", "z"), ["zsh"]);
  });
});

describe("completion for zsh and fish", () => {
  test("names every command and every flag", () => {
    for (const script of [renderZsh(), renderFish()]) {
      for (const command of shown) {
        assert.ok(script.includes(command.name));
        for (const flag of command.flags)
          assert.ok(script.includes(flag.name), `${command.name} ${flag.name}`);
      }
    }
  });
});
