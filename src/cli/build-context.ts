// SPDX-License-Identifier: Apache-2.0
// A build context as a tar stream, made by tar itself from the names that .dockerignore leaves.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { BuildIntent } from "@fairlead/protocol/intent.ts";
import { FairleadError } from "#base/errors.ts";
import { type IgnoreRules, parseIgnoreRules } from "./dockerignore.ts";
import { cliErrors } from "./errors.ts";

export interface BuildContext extends Disposable {
  readonly tar: Readable;
  /** The Dockerfile's name within the tar. */
  readonly dockerfile: string;
}

const EXTRA_NAME = ".fairlead.Dockerfile";

async function* walk(root: string, below: string, rules: IgnoreRules): AsyncGenerator<string> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    const ignored = rules.isIgnored(path);
    if (!ignored) yield path;
    if (entry.isDirectory() && (!ignored || rules.mayKeepBelow(path)))
      yield* walk(root, path, rules);
  }
}

async function* endWithZero(paths: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const path of paths) yield `./${path}\0`;
}

/** The Dockerfile's own text when it is written in the Compose file or lies outside of the context. */
function readExtraDockerfile(build: BuildIntent): string | undefined {
  if (build.dockerfileInline !== undefined) return build.dockerfileInline;
  const path = isAbsolute(build.dockerfile)
    ? build.dockerfile
    : join(build.context, build.dockerfile);
  return relative(build.context, path).startsWith("..") ? readFileSync(path, "utf8") : undefined;
}

function readIgnoreFile(build: BuildIntent, dockerfile: string): string {
  const candidates = [
    join(build.context, `${dockerfile}.dockerignore`),
    join(build.context, ".dockerignore"),
  ];
  const found = candidates.find((path) => existsSync(path));
  return found === undefined ? "" : readFileSync(found, "utf8");
}

function pack(
  build: BuildIntent,
  names: Readable,
  extra: string | undefined,
  signal: AbortSignal,
): Readable {
  const more = extra === undefined ? [] : [`--directory=${extra}`, EXTRA_NAME];
  const args = [
    "--create",
    "--file=-",
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--no-recursion",
  ];
  const source = [`--directory=${build.context}`, "--null", "--files-from=-", ...more];
  const child = spawn("tar", [...args, ...source], { stdio: ["pipe", "pipe", "pipe"], signal });
  const out = new PassThrough();
  let said = "";
  const fail = (message: string) =>
    out.destroy(
      new FairleadError(cliErrors["unreadable-file"], message, {
        facts: { context: build.context },
      }),
    );
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.on("error", (thrown) => fail(`tar could not start: ${thrown.message}`));
  child.stdout.pipe(out, { end: false });
  child.on("close", (code) =>
    code === 0 ? out.end() : fail(`tar could not read the context: ${said.trim()}`),
  );
  pipeline(names, child.stdin).catch((thrown: unknown) =>
    fail(thrown instanceof Error ? thrown.message : "unreadable"),
  );
  return out;
}

/** The context of a build, ready to be sent. Dispose it when the build is over. */
export function openBuildContext(build: BuildIntent, signal: AbortSignal): BuildContext {
  if (!existsSync(build.context)) {
    throw new FairleadError(
      cliErrors["unreadable-file"],
      `there is no build context ${build.context}`,
    );
  }
  const text = readExtraDockerfile(build);
  const inside = isAbsolute(build.dockerfile)
    ? relative(build.context, build.dockerfile)
    : join(build.dockerfile);
  const directory = text === undefined ? undefined : mkdtempSync(join(tmpdir(), "fairlead-build-"));
  if (directory !== undefined) writeFileSync(join(directory, EXTRA_NAME), text ?? "");
  const rules = parseIgnoreRules(readIgnoreFile(build, inside), [inside, ".dockerignore"]);
  const names = Readable.from(endWithZero(walk(build.context, "", rules)));
  return {
    tar: pack(build, names, directory, signal),
    dockerfile: directory === undefined ? inside : EXTRA_NAME,
    [Symbol.dispose]() {
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}
