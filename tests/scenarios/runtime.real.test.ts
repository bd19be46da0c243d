// SPDX-License-Identifier: Apache-2.0
// C05: the nine cases of the Compose specification's runtime conformance tests
// (https://github.com/compose-spec/conformance-tests), with a server of our own in an image made here.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { importNode } from "#lab/images.ts";
import { fetchFrom } from "#lab/reach.ts";
import { openRig, type Rig } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";

const SERVER = `
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createServer, get } from "node:http";
let heard = "";
createSocket("udp4").on("message", (m) => (heard = m.toString())).bind(10001);
createServer((request, answer) => {
  const url = new URL(request.url, "http://x");
  const say = (status, text) => { answer.statusCode = status; answer.end(text); };
  if (url.pathname === "/read") {
    try { say(200, readFileSync(url.searchParams.get("path"), "utf8")); } catch (e) { say(500, String(e)); }
  } else if (url.pathname === "/ask") {
    get({ host: url.searchParams.get("host"), path: "/", timeout: 2000 }, (r) => { r.resume(); say(200, "reached"); })
      .on("timeout", function () { this.destroy(new Error("timeout")); }).on("error", (e) => say(500, e.message));
  } else if (url.pathname === "/heard") say(200, heard);
  else say(200, "pong");
}).listen(80);
`;
const SCOPE = "conform";
const PORT = 8_080;

let rig: Rig;
let folder: string;

before(async () => {
  rig = await openRig();
  await importNode(rig.lab, "node:lab", "");
  await rig.startNode();
  folder = join(rig.directory, SCOPE);
  mkdirSync(folder);
  writeFileSync(join(folder, "server.mjs"), SERVER);
  writeFileSync(join(folder, "file.txt"), "what the file says");
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});
afterEach(async () => {
  const { code, stderr } = await rig.cli(["down", "-v", "--scope", SCOPE, "--progress", "quiet"]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await findInstances(), []);
});

const findInstances = async () =>
  (await rig.engine.listInstances()).filter(({ scope }) => scope === SCOPE);

const server = (name: string, more = "", published?: number): string =>
  `  ${name}:\n    image: node:lab\n    command: [/usr/local/bin/node, /server.mjs]\n    stop_grace_period: 0s\n` +
  `    volumes: ["./server.mjs:/server.mjs:ro"]\n` +
  (published === undefined ? "" : `    ports: ["127.0.0.1:${published}:80"]\n`) +
  more;

async function up(services: readonly string[], more = ""): Promise<void> {
  const file = join(folder, "compose.yaml");
  writeFileSync(file, `name: ${SCOPE}\nservices:\n${services.join("")}${more}`);
  const { code, stderr } = await rig.cli(["up", "-f", file, "--progress", "quiet"]);
  assert.equal(code, 0, stderr);
}

/** Asks the published server; a process that has just begun needs a moment until it listens. */
async function ask(path: string) {
  for (let turn = 0; turn < 200; turn++) {
    try {
      const answer = await fetchFrom(rig.lab, `http://127.0.0.1:${PORT}${path}`);
      if (answer.text !== "" && !answer.text.includes("ECONNREFUSED")) return answer;
    } catch {
      // Nobody listens yet.
    }
  }
  return fetchFrom(rig.lab, `http://127.0.0.1:${PORT}${path}`);
}

test("C05: simple lifecycle", async () => {
  await up([server("entry", "", PORT)]);
  assert.equal((await findInstances()).length, 1);
  assert.deepEqual(await ask("/"), { status: 200, text: "pong" });
});

test("C05: simple network", async () => {
  await up([server("entry", "", PORT), server("target")]);
  assert.deepEqual(await ask("/ask?host=target"), { status: 200, text: "reached" });
});

test("C05: simple network of its own", async () => {
  const on = "    networks: [common]\n";
  await up([server("entry", on, PORT), server("target", on)], "networks: { common: {} }\n");
  assert.equal((await ask("/ask?host=target")).text, "reached");
});

test("C05: simple network, asked for who is not there", async () => {
  await up([server("entry", "", PORT), server("target")]);
  assert.equal((await ask("/")).text, "pong");
  const { status, text } = await ask("/ask?host=nobody");
  assert.equal(status, 500);
  assert.match(text, /ENOTFOUND|EAI_AGAIN|timeout/);
});

test("C05: different networks do not reach each other", async () => {
  await up(
    [server("entry", "    networks: [one]\n", PORT), server("target", "    networks: [two]\n")],
    "networks: { one: {}, two: {} }\n",
  );
  assert.equal((await ask("/")).text, "pong");
  const { status, text } = await ask("/ask?host=target");
  assert.equal(status, 500);
  assert.match(text, /ENOTFOUND|EAI_AGAIN|timeout/);
});

test("C05: volume file", async () => {
  const file = server("entry", "", PORT).replace('"]', '", "./file.txt:/volume.txt"]');
  await up([file]);
  assert.equal((await ask("/read?path=/volume.txt")).text, "what the file says");
});

test("C05: secret file", async () => {
  await up(
    [server("entry", "    secrets: [word]\n", PORT)],
    "secrets: { word: { file: ./file.txt } }\n",
  );
  assert.equal((await ask("/read?path=/run/secrets/word")).text, "what the file says");
});

test("C05: config file", async () => {
  await up(
    [server("entry", "    configs: [{ source: word, target: /etc/word.txt }]\n", PORT)],
    "configs: { word: { file: ./file.txt } }\n",
  );
  assert.equal((await ask("/read?path=/etc/word.txt")).text, "what the file says");
});

test("C05: UDP port", async () => {
  const ports = `    ports: ["127.0.0.1:${PORT}:80", "127.0.0.1:10001:10001/udp"]\n`;
  await up([server("entry", ports)]);
  let heard = "";
  for (let turn = 0; turn < 20 && heard === ""; turn++) {
    runProgram("nsenter", [
      `--net=/run/netns/${rig.lab.netns}`,
      process.execPath,
      "-e",
      'const s=require("dgram").createSocket("udp4");s.send("over udp",10001,"127.0.0.1",()=>s.close())',
    ]);
    heard = (await ask("/heard")).text;
  }
  assert.equal(heard, "over udp");
});

test("C05: scaling", async () => {
  await up([server("entry", "", PORT), server("target", "    deploy: { replicas: 3 }\n")]);
  const targets = (await findInstances()).filter(({ service }) => service === "target");
  assert.equal(targets.length, 3);
  assert.equal((await ask("/ask?host=target")).text, "reached");
  await up([server("entry", "", PORT), server("target", "    deploy: { replicas: 1 }\n")]);
  assert.equal((await findInstances()).filter(({ service }) => service === "target").length, 1);
});
