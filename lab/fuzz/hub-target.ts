// SPDX-License-Identifier: Apache-2.0
// Peers that speak the protocol well, and mean ill: frames in any order, on any conversation, to a hub with a log.
import { setTimeout as sleep } from "node:timers/promises";
import { readBatch } from "@fairlead/fabric/decode-batch.ts";
import { encodeFrame } from "@fairlead/fabric/encode-frame.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { KIND, makeFrame, type Frame } from "@fairlead/fabric/frame.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { HEADER } from "@fairlead/fabric/log-headers.ts";
import { createLogMethods } from "@fairlead/fabric/log-service.ts";
import { openLog } from "@fairlead/fabric/log/open.ts";
import { createTestHub } from "@fairlead/fabric/testing/open-hub.ts";
import { HEADROOM, type Transport, type TransportReceiver } from "@fairlead/fabric/transport.ts";
import { JOINING } from "@fairlead/protocol/testing/record-of.ts";
import { createSeededRandom } from "#store/testing/seeded-random.ts";
import { systemClock as clock } from "#store/testing/system-clock.ts";
import { makeAnyFrame, makeHello } from "./frames.ts";
import { createBelow, makeBytes, pickOne, type Below } from "./mutate.ts";
import type { FuzzRun, FuzzTarget } from "./target.ts";

const PEERS = 6;
/** What the log may hold; more is refused. */
const LOG_BYTES_MAX = 1_048_576;
const TARGETS = ["", "", "web", "api", "web.0", "web.1/api.2", "nobody"] as const;
const PROOFS = ["", "", "web.0//x", "web.0/a.b/c"] as const;
const METHODS = [
  "$node/join",
  "$node/join",
  "$node/find",
  "$node/watch",
  "$log/publish",
  "$log/subscribe",
  "web/call",
] as const;
const PAYLOADS = [
  JSON.stringify(JOINING),
  "{}",
  '{"pattern":"orders.>"}',
  '{"pattern":"orders.*","group":"g","from":"start","inFlightMax":2}',
  '{"ack":1}',
  '{"nack":2,"delayMs":0}',
  '{"reject":3,"reason":"bad"}',
  "[]",
  "no json",
] as const;

/** The far end of one link: the fuzz sends through it, and what the hub says has to be a batch. */
class Peer {
  over = false;
  #receiver: TransportReceiver | undefined;
  readonly transport: Transport;

  constructor() {
    this.transport = {
      peerAddress: "fuzz",
      local: true,
      start: (receiver) => void (this.#receiver = receiver),
      send(parts, sizeBytes) {
        readBatch(Buffer.concat(parts, sizeBytes + HEADROOM).subarray(HEADROOM), () => undefined);
        return true;
      },
      close: () => void (this.over = true),
      destroy: () => void (this.over = true),
    };
  }

  send(frame: Frame): void {
    this.#receiver?.onBatch(encodeFrame(frame, true));
  }

  breakOff(): void {
    this.over = true;
    this.#receiver?.onClosed(new FabricError("unavailable", "broken off"));
  }
}

function makePayload(below: Below): Buffer {
  return below(6) === 0 ? makeBytes(below(50), below) : Buffer.from(pickOne(PAYLOADS, below));
}

/** A frame that makes sense somewhere, on a conversation that may be there. */
function makeFitting(below: Below): Frame {
  const conversation = below(12) === 0 ? below(40) : 1 + 2 * below(15);
  const roll = below(20);
  const payload = makePayload(below);
  const target = pickOne(TARGETS, below);
  if (roll < 7) {
    const open = {
      target,
      method: pickOne(METHODS, below),
      deadlineMs: 0,
      caller: "",
      hops: below(12),
    };
    const rest = { idempotent: false, streams: below(4) !== 0, proof: pickOne(PROOFS, below) };
    return makeFrame(KIND.open, conversation, {
      open: { ...open, ...rest },
      payload,
      credit: below(3) * 65_536,
    });
  }
  const headers = {
    [HEADER.subject]: pickOne(["orders.new", "orders", ">"], below),
    [HEADER.id]: `${below(999)}`,
  };
  if (roll < 14)
    return makeFrame(KIND.item, conversation, { payload, ...(below(2) === 0 ? { headers } : {}) });
  if (roll < 16) return makeFrame(KIND.end, conversation, below(2) === 0 ? { payload } : {});
  if (roll < 18) return makeFrame(KIND.cancel, conversation);
  if (roll < 19)
    return makeFrame(KIND.credit, conversation, {
      credit: pickOne([0, 1_000, 2 ** 32 - 1], below),
    });
  return below(10) === 0 ? makeFrame(KIND.drain, 0) : makeAnyFrame(below);
}

function open(seed: number): FuzzRun {
  const below = createBelow(createSeededRandom(seed));
  const links = new Map<string, Link>();
  const log = openLog({ kind: "memory", bytesMax: LOG_BYTES_MAX }, { clock });
  const convert = (thrown: unknown): FabricError => FabricError.from(thrown, "internal");
  const { hub, registry } = createTestHub({
    links,
    nowMs: () => clock.nowMs(),
    pick: (candidates) => candidates[below(candidates.length)],
    methods: createLogMethods({ log, nowMs: () => clock.nowMs(), convert }),
  });
  const peers: Peer[] = [];

  function connect(slot: number): Peer {
    const peer = new Peer();
    peers[slot] = peer;
    hub.accept(peer.transport);
    const hello = makeHello(below, "web.0");
    const id = `${hello.name}.${slot}`;
    if (below(20) !== 0)
      peer.send(makeFrame(KIND.hello, 0, { hello: below(9) === 0 ? hello : { ...hello, id } }));
    return peer;
  }

  return {
    attempt() {
      const slot = below(PEERS);
      const known = peers[slot];
      const peer = known === undefined || known.over ? connect(slot) : known;
      if (below(60) === 0) peer.breakOff();
      else peer.send(makeFitting(below));
      return peer.over ? "refused" : "taken";
    },
    async check() {
      for (const peer of peers) if (peer !== undefined && !peer.over) peer.breakOff();
      // What a closed link left to be done is done in the turns that follow: groups are given back.
      for (
        let turn = 0;
        turn < 100 && log.stats().groups.some(({ group }) => group.startsWith("("));
        turn++
      )
        await sleep(10);
      const left = log.stats().groups.filter(({ group }) => group.startsWith("("));
      await log[Symbol.asyncDispose]();
      const all = {
        links: hub.links,
        joined: links.size,
        agents: registry.size,
        groups: left.length,
      };
      if (Object.values(all).some((count) => count > 0))
        throw new Error(`left behind: ${JSON.stringify(all)}`);
    },
  };
}

/** The state of links, conversations, relays, the registry and the log. */
export const hub: FuzzTarget = {
  name: "hub",
  about:
    "well formed frames in hostile orders from six peers: links end, nothing is thrown, nothing is left behind",
  open,
};
