// SPDX-License-Identifier: Apache-2.0
// Hostile YAML: bombs, depth, size. Only a FairleadError may come out, and soon.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FairleadError, isKind } from "#base/errors.ts";
import { composeErrors } from "./errors.ts";
import { loadText } from "./testing/load-text.ts";

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
