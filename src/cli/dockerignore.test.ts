// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import type { BuildIntent } from "@fairlead/protocol/intent.ts";
import { openBuildContext } from "./build-context.ts";
import { parseIgnoreRules } from "./dockerignore.ts";

const CASES: readonly (readonly [
  rules: string,
  ignored: readonly string[],
  kept: readonly string[],
])[] = [
  ["", [], ["a"]],
  ["# comment\n\n  a  \r\nb/", ["a", "b", "b/c"], ["ab", "c/a"]],
  ["*.log", ["x.log"], ["d/x.log", "x.logs"]],
  ["**/*.log", ["x.log", "d/x.log", "d/e/x.log"], ["x.txt"]],
  ["/root\n./dot", ["root", "dot"], ["d/root"]],
  ["*\n!keep", ["a", "d/keep"], ["keep", "keep/x"]],
  ["d\n!d/keep\nd/keep/not", ["d/x", "d/keep/not"], ["d/keep", "d/keep/x"]],
  ["file?.[tj]s", ["file1.ts", "file2.js"], ["file.ts", "file12.ts", "file1.cs"]],
  ["a\\*b", ["a*b"], ["aab"]],
  ["a+b(c)$", ["a+b(c)$"], ["aab"]],
  ["[", ["["], ["a"]],
  ["d/**", ["d/x", "d/e/f"], ["e"]],
];

describe("parseIgnoreRules()", () => {
  for (const [rules, ignored, kept] of CASES) {
    test(`${JSON.stringify(rules)} leaves out ${ignored.join(" ") || "nothing"}, keeps ${kept.join(" ")}`, () => {
      const parsed = parseIgnoreRules(rules, []);
      assert.deepEqual(
        [...ignored, ...kept].filter((path) => parsed.isIgnored(path)),
        ignored,
      );
    });
  }

  test("the Dockerfile is sent whatever the rules say", () => {
    const parsed = parseIgnoreRules("*", ["deep/Dockerfile"]);
    assert.equal(parsed.isIgnored("deep/Dockerfile"), false);
    assert.equal(parsed.mayKeepBelow("deep"), true);
    assert.equal(parsed.mayKeepBelow("other"), false);
  });
});

const BUILD: Omit<BuildIntent, "context"> = {
  dockerfile: "Dockerfile",
  args: {},
  labels: {},
  cacheFrom: [],
  extraHosts: [],
  noCache: false,
  pull: false,
  tags: [],
};

async function listTar(build: BuildIntent): Promise<{ names: string[]; dockerfile: string }> {
  using context = openBuildContext(build, AbortSignal.timeout(10_000));
  const child = spawn("tar", ["--list", "--file=-"], { stdio: ["pipe", "pipe", "inherit"] });
  context.tar.pipe(child.stdin);
  const names = (await text(child.stdout)).trim().split("\n");
  return {
    names: names.map((name) => name.replace(/^\.\//, "")).sort(),
    dockerfile: context.dockerfile,
  };
}

describe("openBuildContext()", () => {
  test("sends what is left, links as links, odd names too; and an inline Dockerfile beside it", async () => {
    const directory = await mkdtemp(join(tmpdir(), "fairlead-context-"));
    try {
      await mkdir(join(directory, "src"));
      for (const name of ["Dockerfile", "-rf", "with space", "src/a.ts", "src/a.log"])
        await writeFile(join(directory, name), name);
      await writeFile(join(directory, ".dockerignore"), "**/*.log\nDockerfile\n");
      await symlink("/etc/passwd", join(directory, "link"));
      const plain = await listTar({ ...BUILD, context: directory });
      assert.deepEqual(plain.names, [
        "-rf",
        ".dockerignore",
        "Dockerfile",
        "link",
        "src/",
        "src/a.ts",
        "with space",
      ]);
      assert.equal(plain.dockerfile, "Dockerfile");
      const inline = await listTar({
        ...BUILD,
        context: directory,
        dockerfileInline: "FROM scratch\n",
      });
      assert.ok(inline.names.includes(inline.dockerfile));
      assert.notEqual(inline.dockerfile, "Dockerfile");
      const outside = await listTar({
        ...BUILD,
        context: join(directory, "src"),
        dockerfile: "../Dockerfile",
      });
      assert.ok(outside.names.includes(outside.dockerfile));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
