// SPDX-License-Identifier: Apache-2.0
// The SDK as a stranger has it: a tarball, installed without a network into an empty folder; a program runs, another's types hold.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openHub } from "@fairlead/fabric/testing/open-hub.ts";
import { buildSdkPackage } from "../scripts/build-sdk.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
let folder: string;

/** Runs a program in the folder; its output. Rejects with what it said when it fails. */
async function runThere(program: string, args: readonly string[]): Promise<string> {
  const PATH = `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`;
  const options = { cwd: folder, env: { ...process.env, PATH }, timeout: 120_000 };
  const { stdout } = await run(program, [...args], options);
  return stdout.trim();
}

async function pack(directory: string): Promise<string> {
  const said = await runThere("npm", ["pack", "--ignore-scripts", "--silent", directory]);
  return `./${said.split("\n").at(-1) ?? ""}`;
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "fairlead-sdk-"));
  const built = join(folder, "built");
  await buildSdkPackage(built);
  writeFileSync(join(folder, "package.json"), '{"private":true,"type":"module"}');
  const tarballs = [await pack(built), await pack(join(ROOT, "node_modules/zod"))];
  const flags = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"];
  await runThere("npm", ["install", ...flags, ...tarballs]);
});
after(() => rmSync(folder, { recursive: true }));

test("it has at most three dependencies, and none of this repository's", () => {
  const file = join(folder, "node_modules/@fairlead/sdk/package.json");
  const { dependencies } = JSON.parse(readFileSync(file, "utf8")) as { dependencies: object };
  assert.deepEqual(Object.keys(dependencies), ["zod"]);
});

const PROGRAM = `
import { contract, join, rpc } from "@fairlead/sdk";
import { createTestFabric } from "@fairlead/sdk/testing";
import { z } from "zod";
const echo = contract("echo", "1.0.0", { say: rpc({ in: z.string(), out: z.string() }) });
async function talk(enter) {
  await using server = await enter({ name: "parrot" });
  await server.serve(echo, { say: (text, { caller }) => text + ", " + caller.name });
  await using caller = await enter({ name: "ann" });
  for await (const { agent } of caller.watch()) if (agent.contracts.length > 0) break;
  return await caller.client(echo).say("hello");
}
await using fabric = createTestFabric();
console.log(await talk((options) => fabric.join(options)));
console.log(await talk((options) => join({ ...options, node: process.argv[2] })));
`;

test("a plain program talks to itself in memory, and through a node", async () => {
  await using node = await openHub();
  writeFileSync(join(folder, "agent.mjs"), PROGRAM);
  const said = await runThere(process.execPath, ["agent.mjs", node.address]);
  assert.equal(said, "hello, ann\nhello, ann");
});

const TYPED = `
import { contract, join, rpc, stream, type Agent, type AgentRecord } from "@fairlead/sdk";
import { createTestFabric } from "@fairlead/sdk/testing";
import { z } from "zod";
const research = contract("research", "1.2.0", {
  summarize: rpc({ in: z.object({ url: z.string() }), out: z.object({ text: z.string() }), idempotent: true }),
  tokens: stream({ in: z.object({ prompt: z.string() }), item: z.string() }),
});
export async function use(fl: Agent): Promise<string> {
  const { text } = await fl.client(research).summarize({ url: "x" }, { timeout: "20s" });
  const records: readonly AgentRecord[] = await fl.find({ skill: "summarize" });
  const sub = fl.on("orders", (m) => void m.data.id, { schema: z.object({ id: z.string() }) });
  await sub.drain();
  // @ts-expect-error the contract says that a url is text
  await fl.client(research).summarize({ url: 7 });
  // @ts-expect-error a record's name is text, or all types have become any
  const wrong: number = records[0]?.name;
  return text + wrong;
}
export const all = [join, createTestFabric];
`;

test("a typed program is checked against its types", async () => {
  writeFileSync(join(folder, "program.ts"), TYPED);
  const modules = join(ROOT, "node_modules");
  const flags = ["--strict", "--noEmit", "--module", "nodenext", "--target", "esnext"];
  const types = ["--typeRoots", join(modules, "@types"), "--types", "node"];
  const tsc = join(modules, "typescript/bin/tsc");
  const said = await runThere(process.execPath, [tsc, ...flags, ...types, "program.ts"]).catch(
    (failed: { stdout: string }) => failed.stdout,
  );
  assert.equal(said, "");
});
