// SPDX-License-Identifier: Apache-2.0
// What holds for links, over every transport.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTick } from "node:timers/promises";
import type { Conversation } from "./conversation.ts";
import { FabricError } from "./errors.ts";
import { OK, type Open, type Status } from "./frame.ts";
import { dial } from "./grpc/dial.ts";
import { listen } from "./grpc/listen.ts";
import { Link, type LinkOptions } from "./link.ts";
import { createMemoryTransports } from "./memory-transport.ts";
import type { Transport } from "./transport.ts";

const OPEN: Open = {
  target: "",
  method: "x",
  deadlineMs: 0,
  caller: "",
  hops: 0,
  idempotent: false,
  streams: true,
  proof: "",
};

interface Pair extends AsyncDisposable {
  readonly near: Transport;
  readonly far: Transport;
}

async function openGrpc(): Promise<Pair> {
  const accepted = Promise.withResolvers<Transport>();
  const at = { host: "127.0.0.1", port: 0 };
  const listener = await listen({ at, onTransport: accepted.resolve });
  const near = await dial({ address: listener.address });
  const far = await accepted.promise;
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
    },
  };
}

async function openMemory(): Promise<Pair> {
  const [near, far] = createMemoryTransports();
  return { near, far, [Symbol.asyncDispose]: () => Promise.resolve() };
}

function link(transport: Transport, dialled: boolean, options: Partial<LinkOptions> = {}): Link {
  const name = dialled ? "near" : "far";
  return new Link({
    transport,
    dialled,
    self: { id: name, name, scope: "test" },
    accept: () => {
      throw new FabricError("unimplemented", "nothing is served here");
    },
    ...options,
  });
}

/** Answers with what came, item by item. */
function echo(conversation: Conversation): void {
  conversation.handlers = {
    onItem(payload) {
      conversation.trySend(payload);
      conversation.consumed(payload.length);
    },
    onEnd: () => conversation.end(),
    onCancel: () => undefined,
    onRoom: () => undefined,
  };
  if (!conversation.open.streams) conversation.end(conversation.first);
}

function ended(conversation: Conversation, onItem?: (payload: Uint8Array) => void) {
  const result = Promise.withResolvers<{ status: Status; payload: Uint8Array | undefined }>();
  conversation.handlers = {
    onItem: (payload) => onItem?.(payload),
    onEnd: (status, payload) => result.resolve({ status, payload }),
    onCancel: () => undefined,
    onRoom: () => undefined,
  };
  return result.promise;
}

for (const [name, open] of [
  ["memory", openMemory],
  ["grpc", openGrpc],
] as const) {
  describe(`a link over ${name}`, () => {
    test("both sides learn who the other is", async () => {
      await using pair = await open();
      const far = link(pair.far, false);
      const near = link(pair.near, true);
      assert.equal((await near.ready).name, "far");
      assert.equal((await far.ready).name, "near");
      near.close();
    });

    test("a call has its answer, of any size up to the limit", async () => {
      await using pair = await open();
      link(pair.far, false, { accept: echo });
      const near = link(pair.near, true);
      await near.ready;
      for (const size of [0, 1, 8_192, 8_193, 65_536, 5_000_000]) {
        const payload = Buffer.alloc(size, "fairlead ");
        const call = near.open({ ...OPEN, streams: false }, { payload });
        const { status, payload: answer } = await ended(call);
        assert.deepEqual(status, OK);
        assert.ok(payload.equals(answer ?? Buffer.alloc(0)), `${size} bytes`);
      }
      assert.equal(near.size, 0);
      near.close();
    });

    test("items come in order, also when large and small ones mix", async () => {
      await using pair = await open();
      link(pair.far, false, { accept: echo });
      const near = link(pair.near, true);
      await near.ready;
      const sizes = Array.from({ length: 300 }, (_, index) => (index * 7_919) % 30_000);
      const seen: string[] = [];
      const stream = near.open(OPEN);
      let room = Promise.withResolvers<void>();
      const end = ended(stream, (payload) => {
        seen.push(`${payload.length}:${payload[0] ?? -1}`);
        stream.consumed(payload.length);
      });
      stream.handlers = { ...stream.handlers, onRoom: () => room.resolve() };
      const sent = sizes.map((size, index) => Buffer.alloc(size, index % 251));
      for (const payload of sent) {
        while (!stream.trySend(payload)) {
          await room.promise;
          room = Promise.withResolvers<void>();
        }
      }
      stream.end();
      assert.equal((await end).status.code, 0);
      assert.deepEqual(
        seen,
        sent.map((payload) => `${payload.length}:${payload[0] ?? -1}`),
      );
      near.close();
    });

    test("a peer that takes nothing stops its sender after the window, and others go on", async () => {
      await using pair = await open();
      let stuckBytes = 0;
      link(pair.far, false, {
        windowBytes: 65_536,
        accept(conversation) {
          if (conversation.open.method === "stuck") {
            conversation.handlers = {
              onItem: (payload) => void (stuckBytes += payload.length),
              onEnd: () => undefined,
              onCancel: () => undefined,
              onRoom: () => undefined,
            };
          } else echo(conversation);
        },
      });
      const near = link(pair.near, true);
      await near.ready;
      const stuck = near.open({ ...OPEN, method: "stuck" });
      let taken = 0;
      while (stuck.trySend(Buffer.alloc(1_000))) taken++;
      assert.ok(taken >= 60 && taken <= 66, `${taken} items were taken`);
      const call = near.open({ ...OPEN, streams: false }, { payload: Buffer.from("on") });
      assert.equal((await ended(call)).status.code, 0);
      assert.equal(stuckBytes, taken * 1_000);
      near.close();
    });

    test("an error arrives with its code, reason and facts", async () => {
      await using pair = await open();
      link(pair.far, false, {
        accept() {
          throw new FabricError("permission_denied", "näher nicht", {
            reason: "no-link",
            facts: { policy: "shop/deny" },
          });
        },
      });
      const near = link(pair.near, true);
      await near.ready;
      const { status } = await ended(near.open(OPEN));
      assert.deepEqual(
        { ...status, facts: { ...status.facts } },
        {
          code: 7,
          message: "näher nicht",
          reason: "no-link",
          retryable: false,
          facts: { policy: "shop/deny" },
          unbegun: true,
        },
      );
      near.close();
    });

    test("cancelling reaches the other side", async () => {
      await using pair = await open();
      const cancelled = Promise.withResolvers<FabricError>();
      link(pair.far, false, {
        accept(conversation) {
          echo(conversation);
          conversation.handlers = { ...conversation.handlers, onCancel: cancelled.resolve };
        },
      });
      const near = link(pair.near, true);
      await near.ready;
      const call = near.open(OPEN);
      call.fail(new FabricError("deadline_exceeded", "too late"));
      assert.equal((await cancelled.promise).code, "deadline_exceeded");
      assert.equal(near.size, 0);
      near.close();
    });

    test("what is open fails when the link breaks, at both ends", async () => {
      await using pair = await open();
      const broken = Promise.withResolvers<FabricError>();
      const farClosed = Promise.withResolvers<void>();
      const far = link(pair.far, false, {
        onClosed: () => farClosed.resolve(),
        accept(conversation) {
          echo(conversation);
          conversation.handlers = { ...conversation.handlers, onCancel: broken.resolve };
        },
      });
      const near = link(pair.near, true);
      await near.ready;
      const end = ended(near.open(OPEN));
      await far.ready;
      await nextTick();
      near.destroy(new FabricError("unavailable", "pulled"));
      assert.equal((await end).status.code, 14);
      await farClosed.promise;
      if (far.size > 0) assert.equal((await broken.promise).code, "unavailable");
      assert.throws(() => near.open(OPEN), /closed/);
    });

    test("draining lets what is open end and takes nothing new", async () => {
      await using pair = await open();
      const told = Promise.withResolvers<void>();
      const held = Promise.withResolvers<Conversation>();
      const far = link(pair.far, false, { accept: held.resolve });
      const near = link(pair.near, true, { onDrain: () => told.resolve() });
      await near.ready;
      const end = ended(near.open({ ...OPEN, streams: false }));
      const conversation = await held.promise;
      const drained = far.drain(5_000);
      await told.promise;
      assert.throws(() => near.open(OPEN), /leaving/);
      conversation.end(Buffer.from("last"));
      assert.equal(Buffer.from((await end).payload ?? []).toString(), "last");
      await drained;
    });

    test("what crosses the farewell is answered, or refused as not begun; nothing is lost", async () => {
      await using pair = await open();
      const begun = new Set<string>();
      const far = link(pair.far, false, {
        accept(conversation) {
          begun.add(conversation.open.method);
          echo(conversation);
        },
      });
      let isDraining = false;
      const near = link(pair.near, true, { onDrain: () => (isDraining = true) });
      await near.ready;
      const ends = new Map<string, Promise<{ status: Status }>>();
      let drained: Promise<void> | undefined;
      for (let call = 0; !isDraining; call++) {
        const method = String(call);
        ends.set(method, ended(near.open({ ...OPEN, method, streams: false })));
        if (call === 50) drained = far.drain(60_000);
        if (call % 5 === 0) await nextTick();
      }
      await drained;
      const refused: string[] = [];
      for (const [method, end] of ends) {
        const { code, reason, unbegun } = (await end).status;
        if (code === 0) continue;
        refused.push(method);
        assert.deepEqual([code, reason, unbegun], [14, "draining", true], method);
      }
      assert.equal(begun.size, ends.size - refused.length, "who was refused was not begun");
      assert.ok(refused.length > 0 && refused.every((method) => !begun.has(method)));
    });

    test("two that part at once both end", async () => {
      await using pair = await open();
      const far = link(pair.far, false, { accept: echo });
      const near = link(pair.near, true);
      await Promise.all([near.ready, far.ready]);
      await Promise.all([near.drain(60_000), far.drain(60_000)]);
      assert.ok(near.closed && far.closed);
    });

    test("a peer that is not admitted is told why", async () => {
      await using pair = await open();
      link(pair.far, false, {
        admit: () => {
          throw new FabricError("unauthenticated", "the ticket is not ours", { reason: "ticket" });
        },
      });
      const near = link(pair.near, true);
      await assert.rejects(near.ready, /the ticket is not ours/);
    });

    test("compressed or not, the same arrives", async () => {
      await using pair = await open();
      link(pair.far, false, { accept: echo, compress: "always" });
      const near = link(pair.near, true, { compress: "always" });
      await near.ready;
      const payload = Buffer.from("the same words again and again. ".repeat(10_000));
      const call = near.open({ ...OPEN, streams: false }, { payload });
      assert.ok(payload.equals((await ended(call)).payload ?? Buffer.alloc(0)));
      near.close();
    });

    test("a payload above the peer's limit is refused before it is sent", async () => {
      await using pair = await open();
      link(pair.far, false, { accept: echo, payloadBytesMax: 1_000 });
      const near = link(pair.near, true);
      await near.ready;
      assert.throws(() => near.open(OPEN, { payload: Buffer.alloc(1_001) }), /limit of 1000/);
      const stream = near.open(OPEN);
      assert.throws(() => stream.trySend(Buffer.alloc(1_001)), /limit of 1000/);
      near.close();
    });
  });
}
