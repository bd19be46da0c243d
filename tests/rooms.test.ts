// SPDX-License-Identifier: Apache-2.0
// The laws of rooms.json hold, and the linter that holds them can fail: each canary breaks one law.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readRooms } from "../scripts/generate-lint.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Which rule each canary must set off. */
const CANARIES: Readonly<Record<string, string>> = {
  "src/brain/imports-hands.ts": "no-restricted-imports",
  "src/brain/imports-node.ts": "no-nodejs-modules",
  "src/brain/reads-clock.ts": "no-restricted-globals",
  "src/brain/hides-clock.ts": "no-restricted-globals",
  "src/brain/rolls-dice.ts": "no-restricted-properties",
  "src/brain/uses-timer.ts": "no-restricted-globals",
  "src/brain/imports-type.ts": "no-restricted-imports",
  "src/brain/imports-late.ts": "no-restricted-imports",
  "src/engine/imports-hands.ts": "no-restricted-imports",
  "src/control/imports-driver.ts": "no-restricted-imports",
  "src/control/imports-open.ts": "no-restricted-imports",
  "src/control/climbs.ts": "no-restricted-imports",
  "src/cli/imports-control.ts": "no-restricted-imports",
  "src/cli/runs-shell.ts": "no-restricted-imports",
  "src/cli/uses-any.ts": "no-explicit-any",
  "src/cli/asserts.ts": "no-non-null-assertion",
  "src/cli/turns-a.ts": "no-cycle",
  "src/cli/throws-text.ts": "only-throw-error",
  "src/cli/forgets-promise.ts": "no-floating-promises",
  "src/engine/skips-open.ts": "no-restricted-imports",
  "src/node/imports-lab.ts": "no-restricted-imports",
  "src/node/runs-shell.ts": "no-restricted-imports",
  "src/node/hides-shell.ts": "no-restricted-imports",
  "src/node/spells-shell.ts": "prefer-node-protocol",
  "src/brain/hides-global.ts": "no-restricted-globals",
  "packages/protocol/imports-src.ts": "no-restricted-imports",
  "packages/routing/imports-src.ts": "no-restricted-imports",
  "packages/routing/imports-node.ts": "no-nodejs-modules",
  "packages/routing/reads-clock.ts": "no-restricted-globals",
  "packages/routing/rolls-dice.ts": "no-restricted-properties",
};

interface Finding {
  readonly code?: string;
  readonly filename: string;
}

/** Lints the canaries in a place of their own, since the project's configuration passes over them. */
function lintCanaries(): readonly Finding[] {
  const place = mkdtempSync(join(tmpdir(), "fairlead-canaries-"));
  try {
    cpSync(join(ROOT, "tests/canaries"), join(place, "tests/canaries"), { recursive: true });
    const config = JSON.parse(readFileSync(join(ROOT, ".oxlintrc.json"), "utf8")) as {
      ignorePatterns: string[];
    };
    writeFileSync(join(place, ".oxlintrc.json"), JSON.stringify({ ...config, ignorePatterns: [] }));
    // The rules that need types run in a program of their own, which is looked for from here.
    symlinkSync(join(ROOT, "node_modules"), join(place, "node_modules"));
    const oxlint = join(ROOT, "node_modules/oxlint/bin/oxlint");
    const args = [oxlint, "--type-aware", "--format", "json", "tests"];
    const { stdout } = spawnSync(process.execPath, args, { cwd: place, encoding: "utf8" });
    return (JSON.parse(stdout) as { diagnostics: Finding[] }).diagnostics;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

describe("the laws of rooms.json", () => {
  const findings = lintCanaries();
  for (const [file, rule] of Object.entries(CANARIES)) {
    it(`${file} is refused by ${rule}`, () => {
      const codes = findings
        .filter((finding) => finding.filename.endsWith(file))
        .map((finding) => finding.code ?? "");
      assert.ok(
        codes.some((code) => code.includes(rule)),
        `found only: ${codes.join(", ") || "nothing"}`,
      );
    });
  }
});

test("every canary has its rule", () => {
  const files = readdirSync(join(ROOT, "tests/canaries"), { recursive: true, encoding: "utf8" });
  const canaries = files.filter((file) => file.endsWith(".ts") && !file.endsWith("turns-b.ts"));
  assert.deepEqual(canaries.sort(), Object.keys(CANARIES).sort());
});

test("rooms.json and src/ name the same rooms", () => {
  const folders = readdirSync(join(ROOT, "src"), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  assert.deepEqual(folders.map((entry) => entry.name).sort(), Object.keys(readRooms()).sort());
});

test("a room imports only rooms that stand above it in rooms.json", () => {
  const names = Object.keys(readRooms());
  for (const [name, room] of Object.entries(readRooms())) {
    for (const other of room.imports)
      assert.ok(names.indexOf(other) < names.indexOf(name), `${name} imports ${other}`);
  }
});
