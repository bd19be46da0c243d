// SPDX-License-Identifier: Apache-2.0
// Copies of the lines, in a file and at a real syslog socket, with what is away for a while.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync, renameSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createFileSink } from "./file-sink.ts";
import { decodeLine } from "./line.ts";
import { createSyslogSink } from "./syslog-sink.ts";
import { makeEntry, makePlace } from "./testing/open-test-log.ts";

test("a file gets each line as it stands in the log, also after it was moved away", async () => {
  using place = makePlace();
  const path = join(place.directory, "..", "copy.jsonl");
  {
    await using log = await place.open({ sinks: [createFileSink(path)] });
    await log.append(makeEntry("one"));
    log.note(makeEntry("two"));
    await log.list({ limit: 1 });
    while (!readFileSync(path, "utf8").includes("two")) await new Promise(setImmediate);
    renameSync(path, `${path}.1`);
    await log.append(makeEntry("three"));
  }
  const lines = [`${path}.1`, path].flatMap((file) =>
    readFileSync(file, "utf8").trim().split("\n"),
  );
  const decoded = lines.map((line) => decodeLine(Buffer.from(line)));
  assert.deepEqual(
    decoded.map((line) => line?.what),
    ["one", "two", "three"],
  );
});

test("a syslog gets messages of RFC 5424 by UDP", async () => {
  using place = makePlace();
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  const came = once(socket, "message") as Promise<[Buffer]>;
  await using log = await place.open({
    sinks: [createSyslogSink({ protocol: "udp", host: "127.0.0.1", port }, "node-a")],
  });
  await log.append({ ...makeEntry("PUT /v1"), kind: "refused" });
  const [message] = await came;
  socket.close();
  const text = message.toString();
  assert.match(text, /^<108>1 \d{4}-\d\d-\d\dT[\d:.]+Z node-a fairlead \d+ refused - \{"seq":1,/);
  assert.ok(decodeLine(Buffer.from(text.slice(text.indexOf("{")))) !== undefined);
});

test("a syslog by TCP that was away gets what waited; the node says meanwhile that it is away", async () => {
  using place = makePlace();
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  await using log = await place.open({
    sinks: [createSyslogSink({ protocol: "tcp", host: "127.0.0.1", port }, "node-a")],
  });
  await log.append(makeEntry("one"));
  while (log.problem === undefined) await new Promise(setImmediate);
  assert.match(
    log.problem,
    /the syslog at tcp:\/\/127\.0\.0\.1:\d+ takes no lines: .*ECONNREFUSED/,
  );
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  await log.append(makeEntry("two"));
  const [socket] = (await once(server, "connection")) as [Socket];
  let text = "";
  for await (const chunk of socket) if ((text += String(chunk)).includes('"what":"two"')) break;
  server.close();
  const frames: string[] = [];
  for (let rest = text; rest !== "";) {
    const at = rest.indexOf(" ");
    const length = Number(rest.slice(0, at));
    frames.push(rest.slice(at + 1, at + 1 + length));
    rest = rest.slice(at + 1 + length);
  }
  assert.deepEqual(
    frames.map((frame) => /"what":"(\w+)"/.exec(frame)?.[1]),
    ["one", "two"],
  );
  assert.ok(frames.every((frame) => frame.startsWith("<109>1 ")));
});
