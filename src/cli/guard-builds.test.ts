// SPDX-License-Identifier: Apache-2.0
// What a build may send (S09): `up` and `plan` refuse the rest before anything is read or asked for.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import type { Intent } from "@fairlead/protocol/intent.ts";
import { isKind } from "#base/errors.ts";
import { compileIntent } from "#compose/compile-intent.ts";
import { composeErrors } from "#compose/errors.ts";
import { loadProject } from "#compose/load-project.ts";
import { openBuildContext } from "./build-context.ts";
import { cliErrors } from "./errors.ts";
import { createDiskSource } from "./file-source.ts";
import { guardBuilds } from "./guard-builds.ts";

/** `build:` of a service in /project, and the line of what is refused; each would send something from outside. */
const OUTSIDE: Readonly<Record<string, readonly [build: string, line: number]>> = {
  "a context elsewhere": ["{ context: /etc }", 3],
  "a context above": ["..", 3],
  "a context beside with the same beginning": ["../project-evil", 3],
  "a context up in the middle": ["app/../../secrets", 3],
  "a context that is a link": ["link", 3],
  "a context below a link": ["link/deep", 3],
  "a context that is not there": ["/nothing/there", 3],
  "a Dockerfile elsewhere": ["{ context: app, dockerfile: /etc/shadow }", 3],
  "a Dockerfile above": ["{ context: app, dockerfile: ../../secrets/key }", 3],
  "a Dockerfile that is a link": ["{ context: app, dockerfile: Linked }", 3],
  "a Dockerfile that is not there": ["{ context: app, dockerfile: ../../nothing }", 3],
  "a file of exceptions that is a link": ["ignoring", 3],
  "in a line of its own": ["\n      context: app\n      dockerfile: ../../secrets/key", 5],
};

describe("a build", () => {
  let top: string;
  let project: string;
  before(async () => {
    top = await realpath(await mkdtemp(join(tmpdir(), "fairlead-guard-")));
    project = join(top, "project");
    for (const name of ["project/app", "project/ignoring", "project-evil", "secrets/deep"])
      await mkdir(join(top, name), { recursive: true });
    await writeFile(join(top, "secrets/key"), "hunter2");
    for (const name of ["app", "ignoring"])
      await writeFile(join(project, name, "Dockerfile"), "FROM scratch\n");
    await writeFile(join(project, "shared.Dockerfile"), "FROM shared\n");
    await symlink(join(top, "secrets"), join(project, "link"));
    await symlink("app", join(project, "app-link"));
    await symlink("../../secrets/key", join(project, "app/Linked"));
    await symlink("../shared.Dockerfile", join(project, "app/Shared"));
    await symlink("../../secrets/key", join(project, "ignoring/.dockerignore"));
    await symlink(project, join(top, "other-name"));
  });
  after(() => rm(top, { recursive: true, force: true }));

  async function guard(
    build: string,
    allowOutside: readonly string[] = [],
    directory = project,
  ): Promise<Intent> {
    const file = join(directory, "compose.yaml");
    await writeFile(file, `services:\n  a:\n    build: ${build}\n`);
    const options = { files: [file], projectDirectory: directory, profiles: [], environment: {} };
    const loaded = await loadProject({ ...options, allowOutside }, createDiskSource());
    return guardBuilds(compileIntent(loaded), loaded);
  }

  for (const [what, [build, line]] of Object.entries(OUTSIDE)) {
    test(`may not send ${what}`, async () => {
      await assert.rejects(guard(build), (thrown) => {
        assert.ok(isKind(thrown, composeErrors["outside-project"]), String(thrown));
        assert.equal(thrown.location?.line, line);
        assert.ok(!JSON.stringify(thrown.facts).includes("hunter2"));
        return true;
      });
    });
  }

  test("may send what lies in the project, and what its directory is allowed for", async () => {
    for (const build of [
      "app",
      "app-link",
      "{ context: app, dockerfile: ../shared.Dockerfile }",
      "{ context: app, dockerfile: Missing }",
      "{ context: app, dockerfile_inline: FROM scratch }",
      "https://example.test/app.git",
    ])
      await guard(build);
    await guard("../secrets", [join(top, "secrets")]);
    await guard("{ context: app, dockerfile: Linked }", [join(top, "secrets")]);
    await guard("app", [], join(top, "other-name"));
  });

  test("sends what was looked at: links are resolved once", async () => {
    const [linked] = (await guard("app-link")).services;
    assert.equal(linked?.build?.context, join(project, "app"));
    const [shared] = (await guard("{ context: app, dockerfile: Shared }")).services;
    assert.ok(shared?.build);
    assert.equal(shared.build.dockerfile, join(project, "shared.Dockerfile"));
    using context = openBuildContext(shared.build, AbortSignal.timeout(10_000));
    assert.equal(context.dockerfile, ".fairlead.Dockerfile");
    assert.match(await text(context.tar), /FROM shared/);
  });

  test("says of a context that is not there where it is written", async () => {
    await assert.rejects(guard("nowhere"), (thrown) => {
      assert.ok(isKind(thrown, cliErrors["unreadable-file"]));
      assert.equal(thrown.location?.line, 2);
      return true;
    });
  });
});
