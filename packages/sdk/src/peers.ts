// SPDX-License-Identifier: Apache-2.0
// Links to peers: one a pair, used by both sides; dialled when first needed, given up when idle.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { Link, type Identity, type LinkOptions } from "@fairlead/fabric/link.ts";
import type { Transport } from "@fairlead/fabric/transport.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Credentials } from "./credentials.ts";
import type { Environment } from "./environment.ts";

/** How long a peer that could not be dialled is reached through the node before it is dialled again. */
const AVOID_MS = 10_000;
/** So long a call waits for a peer to be dialled; what takes longer goes on, and later calls have it. */
const PATIENCE_MS = 2_000;
/** So long goes on what is open with a peer that left, or whose node is gone: a node that starts anew has it back by then. */
const PARTING_MS = 5_000;

/** A peer that is being dialled. */
interface Dialling {
  readonly link: Promise<Link | undefined>;
  readonly sinceMs: number;
}

export interface PeersOptions {
  readonly environment: Environment;
  readonly self: Identity;
  readonly credentials: Credentials;
  readonly accept: (conversation: Conversation, link: Link) => void;
  /** Options of every link, for measuring. */
  readonly link?: Pick<LinkOptions, "compress" | "batching" | "windowBytes">;
}

/** Keeps the links between this agent and others. */
export class Peers {
  readonly #options: PeersOptions;
  /** Those in use, by peer. */
  readonly #links = new Map<string, Link>();
  /** Those that end, besides. */
  readonly #all = new Set<Link>();
  readonly #dialling = new Map<string, Dialling>();
  #isLeaving = false;
  readonly #avoidUntilMs = new Map<string, number>();
  /** Links that this agent dialled. */
  readonly #dialled = new WeakSet<Link>();
  /** Ends the link to a peer that is not known any more. */
  readonly #parting = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** The link to a peer if there is one already. */
  get(id: string): Link | undefined {
    return this.#links.get(id);
  }

  /** A link to the peer; undefined when it can only be reached through the node, or not soon. */
  async reach(record: AgentRecord): Promise<Link | undefined> {
    const known = this.#links.get(record.id);
    if (known !== undefined) return known;
    if (record.addresses.length === 0) return undefined;
    if ((this.#avoidUntilMs.get(record.id) ?? 0) > this.#options.environment.nowMs())
      return undefined;
    const { link, sinceMs } = this.#dialling.get(record.id) ?? this.#begin(record);
    const restMs = PATIENCE_MS - (performance.now() - sinceMs);
    if (restMs <= 0) return undefined;
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), restMs);
    try {
      return await Promise.race([link, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #begin(record: AgentRecord): Dialling {
    const link = this.#dial(record).finally(() => this.#dialling.delete(record.id));
    const dialling = { link, sinceMs: performance.now() };
    this.#dialling.set(record.id, dialling);
    return dialling;
  }

  /** Takes a peer that dialled. */
  accept(transport: Transport): void {
    if (this.#isLeaving) {
      transport.destroy(new FabricError("unavailable", `${this.#options.self.name} is leaving`));
      return;
    }
    const link = this.#open(transport);
    link.ready.then(
      ({ id }) => this.#keep(id, link),
      () => undefined,
    );
  }

  /** The peer is not known any more. What is open with it may end meanwhile: it may live, and only its node be gone. */
  part(id: string): void {
    this.#avoidUntilMs.delete(id);
    const link = this.#links.get(id);
    if (link === undefined) return;
    this.#stay(id);
    const timer = setTimeout(() => {
      this.#parting.delete(id);
      link.close();
    }, PARTING_MS);
    this.#parting.set(id, timer.unref());
  }

  /** The peer is known. Where agents are to go through their nodes now nobody is told addresses: the link ends at once. */
  meet({ id, addresses }: AgentRecord): void {
    const link = this.#links.get(id);
    const isOver = this.#parting.has(id) || (link !== undefined && this.#dialled.has(link));
    this.#stay(id);
    if (addresses.length === 0 && isOver) link?.close();
  }

  #stay(id: string): void {
    clearTimeout(this.#parting.get(id));
    this.#parting.delete(id);
  }

  /** Takes nobody new, and parts with all. */
  async drain(timeoutMs: number): Promise<void> {
    this.#isLeaving = true;
    await Promise.all([...this.#all].map((link) => link.drain(timeoutMs)));
  }

  close(): void {
    for (const id of this.#parting.keys()) this.#stay(id);
    for (const link of this.#all) link.close();
  }

  async #dial(record: AgentRecord): Promise<Link | undefined> {
    for (const address of record.addresses) {
      try {
        const link = this.#open(await this.#options.environment.dialPeer(address), record.id);
        const { id } = await link.ready;
        if (id === record.id) return this.#keep(id, link);
        link.close();
      } catch {
        // The next address, or the node, may do better; the node says why when it cannot either.
      }
    }
    this.#avoidUntilMs.set(record.id, this.#options.environment.nowMs() + AVOID_MS);
    return undefined;
  }

  /** `dialled`: id of the peer that is to be there; undefined for one that dialled. */
  #open(transport: Transport, dialled?: string): Link {
    const { self, credentials } = this.#options;
    const link = new Link({
      transport,
      dialled: dialled !== undefined,
      self,
      admit: (hello) => credentials.check(hello),
      show: (peer) => credentials.show(dialled ?? peer?.id ?? ""),
      accept: this.#options.accept,
      onClosed: (closed) => {
        this.#all.delete(closed);
        this.#forget(closed);
      },
      onDrain: (ending) => this.#forget(ending),
      ...this.#options.link,
    });
    if (!link.closed) this.#all.add(link);
    if (dialled !== undefined) this.#dialled.add(link);
    return link;
  }

  #forget(link: Link): void {
    for (const [id, known] of this.#links) if (known === link) this.#links.delete(id);
  }

  /** Two peers that dial each other at once both keep both links; each speaks over the one that came first to it. */
  #keep(id: string, link: Link): Link {
    const known = this.#links.get(id);
    if (known !== undefined && !known.closed) return known;
    if (!link.closed && !link.draining) this.#links.set(id, link);
    return link;
  }
}
