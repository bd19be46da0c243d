// SPDX-License-Identifier: Apache-2.0
// Command lines that somebody broke at random: understood, with values that timers and the API take, or refused.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FairleadError } from "#base/errors.ts";
import { fuzz, mutate, pick, type RandomBelow } from "#compose/testing/mutate.ts";
import { COMMANDS } from "./command-table.ts";
import { chooseExitCode, EXIT } from "./exit-codes.ts";
import { listFlags, parseCommandLine } from "./parse-command-line.ts";
import type { Parsed } from "./parsed.ts";
import { renderHelp } from "./render-help.ts";

const TIMER_MAX_MS = 2 ** 31 - 1;
const WORDS = COMMANDS.flatMap((command) => [
  command.name,
  ...listFlags(command).flatMap(({ name, short }) => [
    `--${name}`,
    short === undefined ? "-" : `-${short}`,
  ]),
]);
const VALUES = [
  "json",
  "10s",
  "1h30m",
  "3",
  "a=b",
  "shop",
  "2026-11-23T10:00:00Z",
  "compose.yaml",
  "auto",
  "web",
];
const PIECES = [
  "-",
  "--",
  "=",
  " ",
  "\0",
  "99999999999999",
  "-1",
  "0.5",
  "us",
  "d",
  "\u202e",
  "é",
  "--no-",
  "'",
  "{}",
];

/** Words of a line, one below the other: a line may have spaces in its words. */
function writeLine(random: RandomBelow): string {
  const command = COMMANDS[random(COMMANDS.length)];
  const flags = command === undefined ? [] : listFlags(command).map((flag) => `--${flag.name}`);
  const words = [command?.name ?? "ps"];
  for (let n = random(6); n > 0; n--)
    words.push(pick(random, [flags, VALUES, VALUES, WORDS][random(4)] ?? []));
  return words
    .map((word) => (random(4) === 0 ? mutate(word, random, VALUES, PIECES) : word))
    .join("\n");
}

function checkValues(parsed: Parsed, name: string): void {
  const whole = (value: number | undefined) => value === undefined || Number.isSafeInteger(value);
  const flag = parsed.text(name) ?? "";
  if (flag === "") return;
  const kind = COMMANDS.flatMap(listFlags).find((one) => one.name === name)?.value;
  if (kind === "count") assert.ok(whole(parsed.count(name)), flag);
  if (kind === "duration") {
    assert.ok(whole(parsed.durationMs(name)) && (parsed.durationMs(name) ?? 0) >= 0, flag);
    assert.ok((parsed.waitMs(name) ?? 0) <= TIMER_MAX_MS, flag);
  }
  if (kind === "time")
    assert.ok(whole(parsed.timeMs(name)) && (parsed.timeMs(name) ?? 0) >= 0, flag);
}

describe("a command line broken at random", () => {
  test("is understood or refused with FL06xx and exit 2", (t) =>
    fuzz(t, 1_500, writeLine, (text) => {
      try {
        const request = parseCommandLine(text.split("\n"), renderHelp);
        if (request.kind === "run")
          for (const { name } of listFlags(request.command)) checkValues(request.parsed, name);
        return true;
      } catch (thrown) {
        assert.ok(
          thrown instanceof FairleadError && thrown.kind.id.startsWith("FL06"),
          String(thrown),
        );
        assert.equal(chooseExitCode(thrown), EXIT.usage);
        assert.ok(thrown.message !== "" && thrown.remedy !== "");
        return false;
      }
    }));

  test("a wait of 30 days does not end at once, one of 100us is whole milliseconds", () => {
    for (const [text, ms] of Object.entries({ "30d": TIMER_MAX_MS, "100us": 1, "2s": 2_000 })) {
      const request = parseCommandLine(["up", "--timeout", text], renderHelp);
      assert.equal(request.kind === "run" && request.parsed.waitMs("timeout"), ms);
    }
  });
});
