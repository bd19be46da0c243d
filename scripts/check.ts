// SPDX-License-Identifier: Apache-2.0
// `npm run check`: what has to hold before a commit, without engines: format, lint, types, pure tests.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** A check that is one command of Node. */
export interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

/** Format, lint and types, as `npm test` counts them. */
export const CHECKS: readonly Check[] = [
  { name: "format (oxfmt)", command: ["node_modules/oxfmt/bin/oxfmt", "--check"] },
  {
    name: "lint (oxlint, with types)",
    command: ["node_modules/oxlint/bin/oxlint", "--type-aware", "--quiet"],
  },
  { name: "types (tsc)", command: ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"] },
  {
    name: "types of the page (tsc)",
    command: ["node_modules/typescript/bin/tsc", "-p", "packages/web/tsconfig.json"],
  },
];

function runAll(): number {
  const pure = globSync(
    [
      "src/{base,model,compose,topology,brain,config}/**/*.test.ts",
      "packages/routing/src/*.test.ts",
    ],
    { cwd: ROOT, exclude: (name) => name.endsWith(".real.test.ts") },
  );
  const tests = { name: "pure tests", command: ["--test", "--test-reporter=dot", ...pure] };
  let failed = 0;
  for (const check of [...CHECKS, tests]) {
    const result = spawnSync(process.execPath, [...check.command], { cwd: ROOT, encoding: "utf8" });
    const good = result.status === 0;
    if (!good) failed++;
    process.stdout.write(
      `${good ? "✔" : "✖"} ${check.name}\n${good ? "" : `${result.stdout}${result.stderr}\n`}`,
    );
  }
  return failed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(runAll() === 0 ? 0 : 1);
