// SPDX-License-Identifier: Apache-2.0
// The wire protocol is public: a program joins with bare @grpc/grpc-js and fabric.proto, without a line of Fairlead.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createHealthMethods } from "@fairlead/fabric/grpc/health.ts";
import { openHub } from "@fairlead/fabric/testing/open-hub.ts";
import { JOINING } from "@fairlead/protocol/testing/record-of.ts";
import {
  Client,
  credentials,
  loadPackageDefinition,
  type ClientDuplexStream,
  type GrpcObject,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { z } from "zod";
import { contract, rpc } from "./contract.ts";
import { join } from "./join.ts";

const PROTO = fileURLToPath(new URL("../../protocol/fabric.proto", import.meta.url));
const echo = contract("echo", "1.0.0", { say: rpc({ in: z.string(), out: z.string() }) });

interface Frame {
  readonly kind: string;
  readonly conversation: string;
  readonly payload: Buffer;
  readonly hello: { readonly name: string } | null;
  readonly open: { readonly method: string; readonly caller: string } | null;
  readonly status: { readonly code: number; readonly message: string } | null;
}

type Stream = ClientDuplexStream<{ frames: readonly object[] }, { frames: readonly Frame[] }>;
type FabricClient = new (
  address: string,
  credential: ReturnType<typeof credentials.createInsecure>,
) => { Link(): Stream; close(): void };

/** A link as a stranger would write it: frames by what they are for. */
function speak(stream: Stream) {
  const waiting: { want: (frame: Frame) => boolean; done: (frame: Frame) => void }[] = [];
  const seen: Frame[] = [];
  stream.on("error", () => undefined);
  stream.on("data", ({ frames }: { frames: readonly Frame[] }) => {
    for (const frame of frames) {
      const index = waiting.findIndex(({ want }) => want(frame));
      if (index < 0) seen.push(frame);
      else waiting.splice(index, 1)[0]?.done(frame);
    }
  });
  return {
    send: (...frames: readonly object[]) => void stream.write({ frames }),
    await(want: (frame: Frame) => boolean): Promise<Frame> {
      const index = seen.findIndex(want);
      const [found] = index < 0 ? [] : seen.splice(index, 1);
      if (found !== undefined) return Promise.resolve(found);
      return new Promise((done) => waiting.push({ want, done }));
    },
  };
}

const openNode = () =>
  openHub(
    {},
    createHealthMethods((service) => (service === "" ? "serving" : "service-unknown")),
  );

function connect(address: string) {
  const loaded = loadPackageDefinition(
    loadSync(PROTO, { keepCase: true, defaults: true, enums: String, longs: String }),
  );
  const fabric = ((loaded["fairlead"] as GrpcObject)["fabric"] as GrpcObject)["v1"] as GrpcObject;
  const Fabric = fabric["Fabric"] as FabricClient & GrpcObject[string];
  const client = new Fabric(address, credentials.createInsecure());
  return { client, ...speak(client.Link()) };
}

const record = {
  ...JOINING,
  contracts: [{ name: "echo", version: "1.0.0", methods: ["say"] }],
};

test("bare grpc-js joins, is found, answers a call, and calls", async () => {
  await using node = await openNode();
  const stranger = connect(node.address);
  stranger.send({
    kind: "HELLO",
    hello: {
      version: 1,
      id: "stranger.1",
      name: "stranger",
      scope: "default",
      window: 65_536,
      payload_max: 1_000_000,
    },
  });
  assert.equal((await stranger.await(({ kind }) => kind === "HELLO")).hello?.name, "n");
  const payload = Buffer.from(JSON.stringify(record));
  stranger.send({
    kind: "OPEN",
    conversation: 1,
    open: { method: "$node/join", streams: true },
    payload,
  });
  const joined = await stranger.await(({ conversation }) => conversation === "1");
  assert.equal(
    (JSON.parse(joined.payload.toString()) as { node: { name: string } }).node.name,
    "n",
  );

  await using agent = await join({ name: "caller", node: node.address });
  await agent.serve(echo, { say: (text, { caller }) => `${text} of ${caller.name}` });
  for await (const { agent: found } of agent.watch()) if (found.name === "stranger") break;

  const asked = agent.client(echo, { agent: "stranger" }).say("hello");
  const {
    conversation,
    open,
    payload: input,
  } = await stranger.await(({ kind }) => kind === "OPEN");
  assert.deepEqual([open?.method, open?.caller], ["echo/say", "default/caller"]);
  const answer = Buffer.from(
    JSON.stringify(`${JSON.parse(input.toString()) as string}, in plain gRPC`),
  );
  stranger.send({ kind: "END", conversation, payload: answer });
  assert.equal(await asked, "hello, in plain gRPC");

  stranger.send({
    kind: "OPEN",
    conversation: 3,
    open: { target: "caller", method: "echo/say" },
    payload: Buffer.from('"hi"'),
  });
  const end = await stranger.await((frame) => frame.conversation === "3" && frame.kind === "END");
  assert.equal(JSON.parse(end.payload.toString()), "hi of stranger");
  stranger.client.close();
});

test("who speaks before Hello, or another version, is told so and cut off", async () => {
  await using node = await openNode();
  const early = connect(node.address);
  early.send({ kind: "OPEN", conversation: 1, open: { method: "$node/find" } });
  const refused = await early.await(({ kind }) => kind === "END");
  assert.match(refused.status?.message ?? "", /before Hello/);
  early.client.close();
  const other = connect(node.address);
  other.send({ kind: "HELLO", hello: { version: 9, id: "x", name: "x", scope: "x" } });
  assert.match(
    (await other.await(({ kind }) => kind === "END")).status?.message ?? "",
    /version 9/,
  );
  other.client.close();
});

/** `HealthCheckRequest` and `HealthCheckResponse` have one field each: written by hand here. */
function check(address: string, service: string): Promise<number> {
  const client = new Client(address, credentials.createInsecure());
  const name = Buffer.from(service);
  const request = service === "" ? Buffer.alloc(0) : Buffer.from([0x0a, name.length, ...name]);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/grpc.health.v1.Health/Check",
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      request,
      (error, answer) => {
        client.close();
        if (error === null) resolve(answer?.[1] ?? 0);
        else reject(error);
      },
    );
  });
}

test("the health protocol answers any gRPC client", async () => {
  await using node = await openNode();
  assert.equal(await check(node.address, ""), 1);
  await assert.rejects(check(node.address, "none"), { code: 5 });
});
