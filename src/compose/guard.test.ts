// SPDX-License-Identifier: Apache-2.0
// What a Compose file may make us read (S09), and that what it says stays data (S08).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FairleadError, isKind } from "#base/errors.ts";
import { compileIntent } from "./compile-intent.ts";
import { composeErrors } from "./errors.ts";
import { loadProject } from "./load-project.ts";
import { createMemorySource, type FileSource } from "./source.ts";
import { DIRECTORY, loadText } from "./testing/load-text.ts";

const SECRET = "root:x:0:0";
const OUTSIDE: Readonly<Record<string, string>> = {
  "/etc/passwd": SECRET,
  "/srv/other/compose.yaml": "services: {b: {image: x}}\n",
  "/srv/shop-evil/x.env": "A=1\n",
};

/** Everything that makes the loader read a file, with `PATH` for the path. */
const READERS: Readonly<Record<string, string>> = {
  "include, short": "include: [PATH]\nservices: {a: {image: x}}\n",
  "include, long": "include: [{path: PATH}]\nservices: {a: {image: x}}\n",
  "include, second path": "include: [{path: [in.yaml, PATH]}]\nservices: {a: {image: x}}\n",
  "include, env_file": "include: [{path: in.yaml, env_file: PATH}]\nservices: {a: {image: x}}\n",
  "extends.file": "services: {a: {extends: {service: b, file: PATH}}}\n",
  env_file: "services: {a: {image: x, env_file: PATH}}\n",
  "env_file, long": "services: {a: {image: x, env_file: [{path: PATH, required: false}]}}\n",
  "env_file, raw": "services: {a: {image: x, env_file: [{path: PATH, format: raw}]}}\n",
  label_file: "services: {a: {image: x, label_file: PATH}}\n",
};

const PATHS: Readonly<Record<string, string>> = {
  absolute: "/etc/passwd",
  "up and over": "../../etc/passwd",
  "up in the middle": "sub/../../../etc/passwd",
  "a directory with the same beginning": "../shop-evil/x.env",
  "a link to a file": "link.env",
  "a link to a directory": "outside/passwd",
  "a link to a link": "hop.env",
  home: "~/x.env",
  "missing outside": "/etc/nothing-here",
};
const LINKS: Readonly<Record<string, string>> = {
  [`${DIRECTORY}/link.env`]: "/etc/passwd",
  [`${DIRECTORY}/outside`]: "/etc",
  [`${DIRECTORY}/hop.env`]: `${DIRECTORY}/link.env`,
};

/** A source that notes what was read. */
function watch(source: FileSource, reads: string[]): FileSource {
  return {
    ...source,
    readText(path, sizeMaxBytes) {
      reads.push(path);
      return source.readText(path, sizeMaxBytes);
    },
  };
}

function load(
  text: string,
  reads: string[],
  allowOutside: readonly string[] = [],
): Promise<unknown> {
  const files = {
    ...OUTSIDE,
    [`${DIRECTORY}/compose.yaml`]: text,
    [`${DIRECTORY}/in.yaml`]: "services: {}\n",
  };
  return loadProject(
    {
      files: [`${DIRECTORY}/compose.yaml`],
      projectDirectory: DIRECTORY,
      profiles: [],
      environment: { HOME: "/root" },
      allowOutside,
    },
    watch(createMemorySource(files, LINKS), reads),
  );
}

describe("a Compose file cannot make us read outside of the project", () => {
  for (const [reader, text] of Object.entries(READERS)) {
    for (const [how, path] of Object.entries(PATHS)) {
      test(`${reader}: ${how}`, async () => {
        const reads: string[] = [];
        await assert.rejects(load(text.replaceAll("PATH", path), reads), (thrown) => {
          assert.ok(isKind(thrown, composeErrors["outside-project"]), String(thrown));
          assert.ok(thrown.location?.line !== undefined);
          assert.ok(!JSON.stringify(thrown.facts).includes(SECRET));
          return true;
        });
        assert.deepEqual(
          reads.filter((read) => !read.startsWith(`${DIRECTORY}/`)),
          [],
        );
      });
    }
  }

  test("a path with a control character is refused before anything is asked about it", async () => {
    for (const path of ['"a\\u0001b"', '"a\\nb"']) {
      await assert.rejects(load(`services: {a: {image: x, env_file: ${path}}}\n`, []), (thrown) =>
        isKind(thrown, composeErrors["bad-value"]),
      );
    }
  });

  test("the same is read when its directory is allowed", async () => {
    const reads: string[] = [];
    const text = "services: {a: {extends: {service: b, file: ../other/compose.yaml}}}\n";
    await load(text, reads, ["/srv/other"]);
    assert.ok(reads.includes("/srv/other/compose.yaml"));
  });

  test("a .env that is a link to the outside is refused", async () => {
    const links = { [`${DIRECTORY}/.env`]: "/etc/passwd" };
    await assert.rejects(loadText("services: {a: {image: x}}", OUTSIDE, {}, links), (thrown) =>
      isKind(thrown, composeErrors["outside-project"]),
    );
  });

  test("what is refused in a file that holds secrets does not show its lines", async () => {
    const more = { "a.env": "PASSWORD hunter2\n" };
    await assert.rejects(loadText("services: {a: {image: x, env_file: a.env}}", more), (thrown) => {
      assert.ok(thrown instanceof FairleadError);
      return !`${thrown.message}${JSON.stringify(thrown.facts)}`.includes("hunter2");
    });
  });

  test("mounts, build contexts, configs and secrets outside stay data: nothing of them is read", async () => {
    const reads: string[] = [];
    const text = [
      "services:",
      "  a:",
      "    build: /elsewhere",
      "    volumes: ['/var/run/docker.sock:/var/run/docker.sock', '../x:/x']",
      "    configs: [c]",
      "    secrets: [s]",
      "configs: {c: {file: /etc/passwd}}",
      "secrets: {s: {file: ../../etc/passwd}}",
    ].join("\n");
    await load(text, reads);
    assert.deepEqual(
      reads.filter((read) => !read.startsWith(`${DIRECTORY}/`)),
      [],
    );
  });
});

const METACHARACTERS = [
  "$$(reboot)",
  "`id`",
  "; rm -rf /",
  "a|b",
  "&& x",
  "> /etc/x",
  "'\"",
  "\\",
  "{{.Env}}",
  "<b>x</b>",
  "\u202Ex",
];

describe("shell metacharacters are data", () => {
  for (const nasty of METACHARACTERS) {
    test(JSON.stringify(nasty), async () => {
      const value = JSON.stringify(nasty);
      const text = `services:\n  a:\n    image: ${value}\n    command: [${value}]\n    hostname: ${value}\n    user: ${value}\n    labels: {"x.y": ${value}}\n    environment: {A: ${value}}\n    healthcheck: {test: ["CMD", ${value}]}\n`;
      const { container } = compileIntent(await loadText(text)).services[0] ?? {};
      const plain = nasty.replace("$$", "$");
      assert.deepEqual(
        [
          container?.Image,
          container?.Cmd,
          container?.Hostname,
          container?.User,
          container?.Labels?.["x.y"],
          container?.Env,
          container?.Healthcheck?.Test,
        ],
        [plain, [plain], plain, plain, plain, [`A=${plain}`], ["CMD", plain]],
      );
    });

    test(`${JSON.stringify(nasty)} is no name of a service, project or network`, async () => {
      const key = JSON.stringify(nasty);
      const bad = (thrown: unknown): boolean => isKind(thrown, composeErrors["bad-name"]);
      await assert.rejects(loadText(`services: {${key}: {image: x}}`), bad);
      await assert.rejects(loadText(`services: {a: {image: x}}\nnetworks: {${key}: {}}`), bad);
      await assert.rejects(loadText("services: {a: {image: x}}", {}, { projectName: nasty }), bad);
    });
  }
});
