// SPDX-License-Identifier: Apache-2.0
// Compose files, env files and labels that somebody broke: read, or refused with a FairleadError; never anything else.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { FairleadError } from "#base/errors.ts";
import { compileIntent } from "./compile-intent.ts";
import { FAIRLEAD_WORDS, LABEL_PREFIX } from "./fairlead-words.ts";
import { parseEnvFile } from "./parse-env-file.ts";
import { renderProject } from "./render-project.ts";
import { loadText } from "./testing/load-text.ts";
import { readMalformed } from "./testing/malformed.ts";
import { fuzz, mutate, pick, type RandomBelow } from "./testing/mutate.ts";

const PIECES = [
  "services:",
  "&a ",
  "*a",
  "<<: *a",
  "!reset ",
  "!override ",
  "!!int ",
  "? ",
  "- ",
  ": ",
  "{",
  "}",
  "[",
  "]",
  "|\n",
  ">-\n",
  "'",
  '"',
  "#",
  "%YAML 1.1\n---\n",
  "---\n",
  "...\n",
  "\t",
  "\n",
  "  ",
  "\0",
  "\u2028",
  "\uFEFF",
  "${",
  "}",
  "$",
  "${A:-${B}}",
  "null",
  "~",
  "true",
  "0777",
  "1e999",
  "-1",
  "9999999999999999999",
  ".inf",
  ".nan",
  "1:2:3",
  "2001-12-14",
  "extends: a",
  "include: [compose.yaml]",
  "depends_on: [a]",
  "ports: ['1-65535:1-65535']",
  "__proto__: x",
];

const ENV_PIECES = [
  "=",
  "#",
  "'",
  '"',
  "\\",
  "\r",
  "\n",
  "${",
  "}",
  "$",
  "${A:?",
  "export ",
  "\0",
  "\uFEFF",
];
const ENV_FILES = [
  "A=1\nB = two # said\nexport C='x\ny'\nD=\"a\\n${A:-${B}}\"\nE\nF: yaml\n",
  '# only a comment\n\n  G=$A$B${C-}${D+x}\r\nH="unicode \u00e9 \u{1F600}"\n',
  "LONG='" + "x".repeat(200) + "'\nEMPTY=\nQUOTED=''\nDOLLAR=$$A\n",
];

const VALUES = [
  "restart max=3/10m",
  "agent",
  "9000/mcp",
  "on=alert 30s",
  "1..8",
  "true",
  "30s",
  "shop",
];
const LABEL_PIECES = [
  "=",
  "/",
  "..",
  " ",
  ",",
  "max=",
  "99999999999999",
  "-1",
  "\0",
  "\n",
  "'",
  "é",
  "__proto__",
];

/** True when it was read; false for a refusal of the Compose room, with its place. */
function refusedWell(thrown: unknown): false {
  if (thrown instanceof FairleadError && thrown.kind.id.startsWith("FL02")) return false;
  throw thrown;
}

async function load(text: string, more: Readonly<Record<string, string>> = {}): Promise<boolean> {
  try {
    const loaded = await loadText(text, more);
    compileIntent(loaded);
    const shown = renderProject(loaded.project);
    const again = await loadText(shown);
    assert.equal(renderProject(again.project), shown, "what is printed loads to another project");
    return true;
  } catch (thrown) {
    return refusedWell(thrown);
  }
}

function writeLabels(random: RandomBelow): string {
  const words = Object.keys(FAIRLEAD_WORDS).map((word) => LABEL_PREFIX + word);
  const labels: Record<string, string> = {};
  const structured: Record<string, string> = {};
  for (let n = 1 + random(4); n > 0; n--) {
    const word =
      random(4) === 0
        ? mutate(pick(random, words), random, words, LABEL_PIECES)
        : pick(random, words);
    const value = mutate(pick(random, VALUES), random, VALUES, LABEL_PIECES).replaceAll("$", "");
    if (random(2) === 0) labels[word] = value;
    else structured[word.slice(LABEL_PREFIX.length)] = value;
  }
  const service = { image: "x", labels, "x-fairlead": structured, deploy: { labels: structured } };
  return JSON.stringify({ "x-fairlead": structured, services: { a: service } });
}

describe("broken at random", () => {
  const folder = new URL("testdata/accepted/", import.meta.url);
  const accepted = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"));
  const malformed = readMalformed().map((c) => c.text);
  const corpus = [...accepted, ...malformed];

  test("a Compose file becomes a project that prints and loads again, or is refused", (t) =>
    fuzz(
      t,
      400,
      (random) =>
        mutate(pick(random, random(4) === 0 ? malformed : accepted), random, corpus, PIECES),
      (text) => load(text, { "other.yaml": text, "a.env": text }),
    ));

  test("an env file is read, raw or not, or refused with its line", (t) =>
    fuzz(
      t,
      4_000,
      (random) => mutate(pick(random, ENV_FILES), random, ENV_FILES, ENV_PIECES),
      (text) => {
        const environment = new Map([["A", "of-environment"]]);
        try {
          for (const raw of [false, true])
            for (const { at, name } of parseEnvFile(text, "/a.env", { environment, raw }))
              assert.ok(name !== "" && (at.line ?? 0) >= 1);
          return true;
        } catch (thrown) {
          assert.ok(!(thrown instanceof FairleadError) || (thrown.location?.line ?? 0) >= 1);
          return refusedWell(thrown);
        }
      },
    ));

  test("labels are taken, or warned of; none of them makes a file unreadable", (t) =>
    fuzz(t, 400, writeLabels, (text) => load(text)));
});
