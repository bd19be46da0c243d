// SPDX-License-Identifier: Apache-2.0
// Hostile YAML: bombs, depth, size, mutations. Only a FairleadError may come out, and soon.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { FairleadError, isKind } from "#base/errors.ts";
import { compileIntent } from "./compile-intent.ts";
import { composeErrors } from "./errors.ts";
import { loadText } from "./testing/load-text.ts";
import { readMalformed } from "./testing/malformed.ts";
import { renderProject } from "./render-project.ts";

/** More processor time than any text of this size may take; wall time would blame us for a busy machine. */
const HANG_MS = 1_000;

function bomb(levels: number, width: number): string {
  const lines = ["x-0: &a0 {k: v}"];
  for (let i = 1; i < levels; i++) {
    lines.push(`x-${i}: &a${i} [${Array.from({ length: width }, () => `*a${i - 1}`).join(", ")}]`);
  }
  return `${lines.join("\n")}\nservices: {a: {image: x}}\n`;
}

function mergeBomb(levels: number): string {
  const lines = ["x-0: &a0 {k0: v, l0: v}"];
  for (let i = 1; i < levels; i++)
    lines.push(`x-${i}: &a${i} {p: *a${i - 1}, q: *a${i - 1}, <<: *a${i - 1}}`);
  return `${lines.join("\n")}\nservices: {a: {image: x}}\n`;
}

const TOO_BIG: Readonly<Record<string, string>> = {
  "a bomb of aliases": bomb(12, 9),
  "a bomb of merge keys": mergeBomb(40),
  "10 MB of text": `services:\n  a:\n    image: "${"x".repeat(10 * 1024 * 1024)}"\n`,
  "10 MB of keys": `services:\n${"  a: {image: x}\n".repeat(700_000)}`,
  "100 levels": `services: ${"{a: ".repeat(100)}x${"}".repeat(100)}\n`,
  "100,000 open brackets": `services: ${"[".repeat(100_000)}`,
  "100,000 levels of block": `services:\n${Array.from({ length: 2_000 }, (_, i) => `${" ".repeat(i + 1)}a:`).join("\n")}\n`,
};

describe("a hostile file is refused with its line", () => {
  for (const [name, text] of Object.entries(TOO_BIG)) {
    test(name, async () => {
      await assert.rejects(loadText(text), (thrown) => {
        const kinds = [composeErrors["too-big"], composeErrors["not-yaml"]];
        assert.ok(
          kinds.some((kind) => isKind(thrown, kind)),
          String(thrown),
        );
        return thrown instanceof FairleadError && (thrown.location?.line ?? 0) >= 1;
      });
    });
  }

  test("a chain of 3,000 includes is refused", async () => {
    const files: Record<string, string> = {};
    for (let i = 0; i < 3_000; i++) files[`f${i}.yaml`] = `include: [f${i + 1}.yaml]\n`;
    await assert.rejects(
      loadText("include: [f0.yaml]\nservices: {a: {image: x}}\n", files),
      (thrown) => isKind(thrown, composeErrors["too-big"]),
    );
  });

  test("includes that double at each level are refused", async () => {
    const files: Record<string, string> = {};
    for (let i = 0; i < 30; i++)
      files[`f${i}.yaml`] = `include: [f${i + 1}.yaml, ./f${i + 1}.yaml]\n`;
    files["f30.yaml"] = "services: {}\n";
    await assert.rejects(
      loadText("include: [f0.yaml]\nservices: {a: {image: x}}\n", files),
      (thrown) => isKind(thrown, composeErrors["too-big"]),
    );
  });

  test("a chain of 3,000 extends is refused", async () => {
    const services = Array.from({ length: 3_000 }, (_, i) => `  s${i}: {extends: s${i + 1}}`);
    const text = `services:\n${services.join("\n")}\n  s3000: {image: x}\n`;
    await assert.rejects(loadText(text), (thrown) => isKind(thrown, composeErrors["too-big"]));
  });

  test("4,000 services that need each other in a row are no problem", async () => {
    const services = Array.from(
      { length: 4_000 },
      (_, i) => `  s${i}: {image: x, depends_on: [s${i + 1}]}`,
    );
    const loaded = await loadText(`services:\n${services.join("\n")}\n  s4000: {image: x}\n`);
    assert.equal(Object.keys(loaded.project.services).length, 4_001);
  });

  test("__proto__ is a name like any other", async () => {
    await assert.rejects(loadText('services: {"__proto__": {image: x}}'), (thrown) =>
      isKind(thrown, composeErrors["bad-name"]),
    );
    const loaded = await loadText('services: {a: {image: x, labels: {"__proto__": y}}}');
    assert.deepEqual(Object.keys(loaded.project.services["a"]?.labels ?? {}), ["__proto__"]);
    assert.equal(({} as Record<string, unknown>)["image"], undefined);
  });
});

/** A small generator of our own, so that a seed gives the same run everywhere. */
function createRandom(seed: number): (max: number) => number {
  let state = seed >>> 0;
  return (max) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * max);
  };
}

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

function mutate(text: string, random: (max: number) => number, others: readonly string[]): string {
  let out = text;
  for (let n = 1 + random(4); n > 0; n--) {
    const at = random(out.length + 1);
    const length = random(12);
    const other = others[random(others.length)] ?? "";
    const from = random(other.length + 1);
    const choices = [
      () => out.slice(0, at) + out.slice(at + length),
      () => out.slice(0, at) + (PIECES[random(PIECES.length)] ?? "") + out.slice(at),
      () => out.slice(0, at) + String.fromCharCode(random(256)) + out.slice(at + 1),
      () => out.slice(0, at) + out.slice(at, at + length * 4).repeat(2) + out.slice(at + length),
      () => out.slice(0, at) + other.slice(from, from + 40) + out.slice(at),
      () => out.slice(0, at),
    ];
    out = choices[random(choices.length)]?.() ?? out;
  }
  return out;
}

describe("mutated files", () => {
  const seconds = Number(process.env["FAIRLEAD_FUZZ_SECONDS"] ?? 3);
  const seed = Number(process.env["FAIRLEAD_FUZZ_SEED"] ?? 20_261_123);

  test(`${seconds} s of mutations from seed ${seed}: a project or a FairleadError, each within ${HANG_MS} ms`, async (t) => {
    const folder = new URL("testdata/accepted/", import.meta.url);
    const corpus = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"));
    corpus.push(...readMalformed().map((c) => c.text));
    const random = createRandom(seed);
    const end = performance.now() + seconds * 1_000;
    let rounds = 0;
    let accepted = 0;
    let slowestMs = 0;
    while (performance.now() < end) {
      const text = mutate(corpus[random(corpus.length)] ?? "", random, corpus);
      const begin = process.cpuUsage();
      try {
        const loaded = await loadText(text, { "other.yaml": text, "a.env": text });
        compileIntent(loaded);
        renderProject(loaded.project);
        accepted++;
      } catch (thrown) {
        const good = thrown instanceof FairleadError && thrown.kind.id.startsWith("FL02");
        assert.ok(good, `round ${rounds}: ${String(thrown)} for ${JSON.stringify(text)}`);
      }
      const used = process.cpuUsage(begin);
      slowestMs = Math.max(slowestMs, (used.user + used.system) / 1_000);
      rounds++;
    }
    t.diagnostic(`${rounds} files, ${accepted} accepted, slowest ${slowestMs.toFixed(0)} ms`);
    assert.ok(slowestMs < HANG_MS, `one file took ${slowestMs.toFixed(0)} ms`);
    assert.ok(rounds > 100);
  });
});
