// SPDX-License-Identifier: Apache-2.0
// S08: text that a shell would run, in every field that takes text: it is refused or arrives as it is, and neither the node
// nor a command ever becomes a shell. The linter forbids the calls; this looks at the programs that were really started.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openRig, IMAGE, type Rig } from "#lab/rig.ts";
import { createProgramWatch, type ProgramWatch } from "#lab/watch-programs.ts";

let watch: ProgramWatch;
let rig: Rig;
before(async () => {
  watch = createProgramWatch();
  rig = await openRig({ prefix: watch.prefix });
  await rig.startNode();
});
after(async () => {
  await rig[Symbol.asyncDispose]();
  watch[Symbol.dispose]();
});

/** Ways to make a shell create a file; in a path a slash would be a directory, so there it is a name beside. */
const lures = (mark: string): readonly string[] => [
  `$(touch ${mark})`,
  `\`touch ${mark}\``,
  `x; touch ${mark};`,
  `x && touch ${mark}`,
  `x | touch ${mark}`,
  `x\ntouch ${mark}\n`,
  `'; touch ${mark}; '`,
  `"; touch ${mark}; "`,
  `--checkpoint-action=exec=touch ${mark}`,
  `$\{IFS}touch$\{IFS}${mark}`,
];

/** What a Compose file turns `$` into is no concern here. */
const plain = (text: string): string => text.replaceAll("$", "$$$$");

async function run(...args: readonly string[]) {
  return await rig.cli(args, { cwd: rig.directory });
}

function write(service: object, name: string, more: object = {}): string {
  const folder = join(rig.directory, "project");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify({ name: "lure", services: { app: service }, ...more }));
  return file;
}

test("S08: values that may be any text arrive as they are, and nobody runs them", async () => {
  const mark = join(rig.directory, "ran");
  const all = lures(mark);
  const environment = Object.fromEntries(all.map((lure, i) => [`V${i}`, plain(lure)]));
  const labels = Object.fromEntries(all.map((lure, i) => [`note.${i}`, plain(lure)]));
  const file = write(
    {
      image: IMAGE,
      // The shell here is the container's own, which nobody watches; it takes the lures as arguments.
      command: ["sh", "-c", "sleep 1000", ...all.map(plain)],
      environment,
      labels: { ...labels, [`$$(touch ${mark})`]: "key" },
      stop_grace_period: "0s",
      healthcheck: { test: ["CMD", "test", plain(all[0] ?? ""), "!=", ""], interval: "500ms" },
    },
    "values.json",
  );
  const up = await run("up", "-f", file, "--timeout", "60s");
  assert.equal(up.code, 0, up.stderr);
  const raw = (await rig.engine.inspectRaw("lure-app-1")) as {
    readonly Config: { Env: string[]; Labels: Record<string, string>; Cmd: string[] };
  };
  assert.deepEqual(raw.Config.Cmd, ["sh", "-c", "sleep 1000", ...all]);
  for (const [i, lure] of all.entries()) {
    assert.ok(raw.Config.Env.includes(`V${i}=${lure}`), lure);
    assert.equal(raw.Config.Labels[`note.${i}`], lure);
  }
  for (const args of [
    ["ps", "--scope", "lure"],
    ["why", "app", "--scope", "lure"],
    ["restart", "app", "--scope", "lure"],
    ["inspect", "app", "--scope", "lure"],
    ["logs", "app", "--scope", "lure"],
  ])
    assert.equal((await run(...args)).code, 0, args.join(" "));
  assert.equal(existsSync(mark), false);
  assert.deepEqual(watch.listShells(), []);
});

test("S08: a build whose folder, files, arguments and tags are lures is packed, not run", async () => {
  const mark = join(rig.directory, "packed");
  const name = "ran$(touch mark);`touch mark`|&'\" --checkpoint-action=exec=sh";
  const context = join(rig.directory, "project", name);
  mkdirSync(context, { recursive: true });
  writeFileSync(join(context, `--checkpoint=1`), "");
  writeFileSync(join(context, `--to-command=touch ${mark.replaceAll("/", "_")}`), "");
  writeFileSync(join(context, name), `FROM ${IMAGE}\nARG WHO\nLABEL who=$WHO\n`);
  const build = {
    context: plain(`./${name}`),
    dockerfile: plain(name),
    args: { WHO: plain(`$(touch ${mark})`) },
  };
  const file = write(
    { image: "lure:1", build, command: ["sleep", "1000"], stop_grace_period: "0s" },
    "build.json",
  );
  const up = await run("up", "-f", file, "--timeout", "60s");
  assert.equal(up.code, 0, up.stderr);
  const tars = watch.list().filter(({ program }) => program.endsWith("/tar"));
  assert.ok(
    tars.some(({ args }) => args.includes("touch mark")),
    "tar got the folder as one argument",
  );
  for (const path of [mark, join(context, "mark"), join(rig.directory, "mark"), "mark"])
    assert.equal(existsSync(path), false, path);
  assert.deepEqual(watch.listShells(), []);
});

test("S08: names, images, paths, branches and arguments that are lures are refused or looked for, not run", async () => {
  const mark = join(rig.directory, "named");
  const service = { image: IMAGE, command: ["sleep", "1000"] };
  for (const [i, lure] of lures(mark).entries()) {
    const text = plain(lure);
    const files = [
      write({ image: `busybox:${text}` }, `tag-${i}.json`),
      write({ image: `registry.invalid/${text}`, pull_policy: "missing" }, `image-${i}.json`),
      write({ ...service, container_name: text }, `name-${i}.json`),
      write({ ...service, hostname: text }, `host-${i}.json`),
      write({ ...service, user: text }, `user-${i}.json`),
      write({ ...service, env_file: [text] }, `env-${i}.json`),
      write({ ...service, networks: [text] }, `network-${i}.json`, { networks: { [text]: {} } }),
      write({ build: { context: `https://example.invalid/a.git#${text}` } }, `branch-${i}.json`),
    ];
    // The first lure goes all the way in each field; the others are planned with in one of them.
    if (i > 0) await run("plan", "-f", files[i % files.length] ?? "");
    else
      for (const file of files) {
        const planned = await run("plan", "-f", file);
        if (planned.code === 0) await run("up", "-f", file, "--timeout", "1s");
      }
    assert.notEqual((await run("why", lure, "--scope", lure)).code, -1, lure);
  }
  assert.equal(existsSync(mark), false);
  assert.deepEqual(watch.listShells(), []);
});

test("the watch sees a shell, so that it would have been seen above", () => {
  const [program, ...args] = [...watch.prefix, process.execPath];
  const script = 'require("node:child_process").spawnSync("sh", ["-c", "true"])';
  assert.equal(spawnSync(program, [...args, "-e", script]).status, 0);
  assert.match(
    watch
      .listShells()
      .map(({ program: shell }) => shell)
      .join(),
    /\/sh$/,
  );
});
