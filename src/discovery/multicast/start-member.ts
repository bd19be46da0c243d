// SPDX-License-Identifier: Apache-2.0
// One of those who tell each other what runs on them, whatever carries the datagrams.
//
// A record is sent once when it is new. Beats follow that name every record's revision; who lacks one asks for it. So
// a lost datagram costs one more question and no state on the sender's side. Beats come three times a heartbeat, and who
// is silent for one is asked ten times during the next: loss alone does not make anybody dead.
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { createGate, type GateCounters } from "#datagram/gate.ts";
import { createSealer } from "#datagram/seal.ts";
import type { Announcement, Discovery } from "#discovery/discovery.ts";
import { discoveryErrors } from "#discovery/errors.ts";
import { createRoster } from "#discovery/roster.ts";
import type { Carrier } from "./carrier.ts";
import { decodeMessage, DISCOVERY, type Message } from "./datagram.ts";
import type { CheckedOptions } from "./multicast-options.ts";
import { createOutbox } from "./outbox.ts";
import { createOwnRecords } from "./own-records.ts";
import { createPeers, type PeerView } from "./peers.ts";
import { createPlainForm } from "./plain-form.ts";
import { createTap } from "./tap.ts";

export interface MulticastCounters extends GateCounters {
  sent: number;
  /** How often datagrams were kept out for a moment, as too many came. */
  floods: number;
  /** Heartbeats of the plain form that were understood. */
  plain: number;
}

export interface MulticastDiscovery<K extends string = string> extends Discovery {
  readonly kind: K;
  /** Address of this host that others see, where that is known. */
  readonly localAddress: string | undefined;
  /** How long ago it heard itself, which shows that the group passes here; undefined when it never did. */
  readSelfHeardMs(): number | undefined;
  /** Who is heard, and who is suspected of being gone. */
  listPeers(): readonly PeerView[];
  readCounters(): Readonly<MulticastCounters>;
}

export interface MulticastParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const NEVER = Number.NEGATIVE_INFINITY;
const TICK_MS_MAX = 100;
const TICK_MS_MIN = 10;
const SWEEP_MS = 10_000;
/** A farewell is said more than once, as nobody asks for it again. */
const FAREWELLS = 3;
const FAREWELL_PAUSE_MS = 15;

/** Starts to speak and to listen. Disposing says farewell and closes the carrier. */
export function startMember<K extends string>(
  kind: K,
  { carrier, ...checked }: CheckedOptions & { readonly carrier: Carrier },
  { clock, random, logger }: MulticastParts,
): MulticastDiscovery<K> {
  const { sender, heartbeatMs, skewMsMax } = checked;
  const { ear } = carrier;
  const tap = carrier.canBeDeaf ? createTap(ear, clock) : undefined;
  const incarnation = Math.floor(clock.nowMs());
  const closing = new AbortController();
  const roster = createRoster();
  const own = createOwnRecords();
  const sealer = createSealer(checked.secret, DISCOVERY);
  const perSecondMax = checked.datagramsPerSecondMax;
  const gate = createGate({
    protocol: DISCOVERY,
    sealer,
    sender,
    incarnation,
    skewMsMax,
    perSecondMax,
  });
  const peers = createPeers(roster, (name, left) => gate.retire(name, left));
  const outbox = createOutbox(
    { carrier, sealer, own, sender, incarnation, heartbeatMs },
    { clock, random },
  );
  const plain =
    checked.plainScope === undefined
      ? undefined
      : createPlainForm(roster, checked.plainScope, heartbeatMs);
  let selfHeardAtMs = NEVER;
  let plainHeard = 0;
  let sweepAtMs = 0;

  function answerAsk({ target, slots }: Message & { kind: "ask" }): void {
    if (target === sender) outbox.repeat(slots);
    else if (target === "") outbox.greet();
  }

  ear.on("message", (bytes, { address, port }) => {
    const nowMs = clock.monotonicMs();
    const wallMs = clock.nowMs();
    tap?.count(nowMs);
    if (plain?.take(bytes, nowMs, wallMs) === true) {
      plainHeard++;
      return;
    }
    const { own: ownBefore } = gate.counters;
    const header = gate.admit(bytes, address, nowMs, wallMs);
    if (gate.counters.own > ownBefore) selfHeardAtMs = nowMs;
    if (header === undefined) return;
    carrier.noteSource(address, port);
    const message = decodeMessage(bytes);
    if (message?.kind === "ask") answerAsk(message);
    if (message === undefined || !peers.take(header, message, nowMs)) gate.counters.malformed++;
  });
  carrier.onError((error) =>
    logger.warn("a socket of discovery had an error", { kind, error: error.message }),
  );

  async function tick(): Promise<void> {
    const tickMs = Math.min(Math.max(heartbeatMs / 20, TICK_MS_MIN), TICK_MS_MAX);
    while (!closing.signal.aborted) {
      const nowMs = clock.monotonicMs();
      for (const question of peers.check(nowMs, tap?.deafAtMs ?? NEVER))
        outbox.send({ kind: "ask", ...question });
      plain?.check(nowMs);
      outbox.tick(nowMs);
      if (nowMs >= sweepAtMs) {
        gate.sweep(clock.nowMs());
        sweepAtMs = nowMs + SWEEP_MS;
      }
      await clock.sleep(tickMs, closing.signal).catch(() => undefined);
    }
  }

  async function takeBack(id: string, record: AgentRecord): Promise<void> {
    // An announcement that was replaced has nothing to take back.
    if (announced.get(id) !== record) return;
    announced.delete(id);
    own.remove(id);
    roster.remove(id, "left");
    outbox.change([]);
    await outbox.flush();
  }

  const announced = new Map<string, AgentRecord>();
  async function announce(record: AgentRecord): Promise<Announcement> {
    if (closing.signal.aborted)
      throw new FairleadError(discoveryErrors["discovery-closed"], "This discovery is closed");
    const copy = structuredClone(record);
    const slot = own.put(copy);
    announced.set(copy.id, copy);
    roster.put(copy);
    if (slot !== undefined) outbox.change([slot]);
    return { id: copy.id, [Symbol.asyncDispose]: () => takeBack(copy.id, copy) };
  }

  outbox.join();
  const ticking = tick();

  async function leave(): Promise<void> {
    if (closing.signal.aborted) return;
    closing.abort();
    await ticking;
    tap?.end();
    outbox.close();
    for (let i = 0; i < FAREWELLS; i++) {
      if (i > 0) await clock.sleep(FAREWELL_PAUSE_MS);
      outbox.send({ kind: "leave" });
    }
    await outbox.flush();
    roster.close();
    await carrier.close();
  }

  return {
    kind,
    announce,
    watch: (signal) => roster.watch(signal),
    list: () => roster.list(),
    localAddress: carrier.localAddress,
    readSelfHeardMs: () =>
      selfHeardAtMs === NEVER ? undefined : clock.monotonicMs() - selfHeardAtMs,
    listPeers: () => peers.view(clock.monotonicMs()),
    readCounters: () => ({
      ...gate.counters,
      sent: outbox.sent,
      floods: tap?.closings ?? 0,
      plain: plainHeard,
    }),
    [Symbol.asyncDispose]: leave,
  };
}
