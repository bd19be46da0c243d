// SPDX-License-Identifier: Apache-2.0
// A handle on a group whose messages several nodes keep: this one, and those that are linked. A message stays where it was
// published; the subscriber's node asks for as many as it has hands free, and says there what became of each.
import type { Link } from "@fairlead/fabric/link.ts";
import type {
  Group,
  GroupOptions,
  KeptMessage,
  LogClock,
} from "@fairlead/fabric/log/message-log.ts";
import type { Settlement } from "@fairlead/protocol/fabric.ts";
import { RemoteGroup } from "./remote-group.ts";
import { TOKEN_MIN, type TokenBook } from "./token-book.ts";

export interface FleetGroupOptions {
  /** The handle on what this node keeps. */
  readonly own: Group;
  readonly options: GroupOptions;
  /** Which group it is, for tokens. */
  readonly key: string;
  readonly tokens: TokenBook;
  readonly clock: LogClock;
  readonly onClose: (group: FleetGroup) => void;
}

/** Another node, as far as this handle knows it. */
interface Source {
  readonly link: Link;
  readonly remote: RemoteGroup;
  /** It has been told what this handle still had of it from before. */
  isSettled: boolean;
}

/** Pause before a node that refused the handle is asked again. */
const AGAIN_MS = 1_000;

/** Gives messages of all nodes; hands are counted over all of them. */
export class FleetGroup implements Group {
  readonly #parts: FleetGroupOptions;
  readonly #sources = new Map<string, Source>();
  /** By sequence or token, when a message that was given is given to another. */
  readonly #hands = new Map<number, number>();
  /** What a node is to be told once it is linked again, by its own sequence. */
  readonly #owed = new Map<string, Map<number, Settlement>>();
  readonly #closing = new AbortController();
  /** Aborted when the first other node comes: from then on nobody waits for this node alone. */
  #alone = new AbortController();
  #bell = Promise.withResolvers<void>();
  #isOwnReady = false;
  #isOwnWatched = false;
  #inOrder = false;

  constructor(parts: FleetGroupOptions) {
    this.#parts = parts;
  }

  /** The link to a node came, was replaced or went. Resolves once the node has the handle, or never will. */
  async setLink(node: string, link: Link | undefined): Promise<void> {
    this.#drop(node);
    if (link === undefined || link.closed || this.#closing.signal.aborted) return this.#ring();
    const { name, ...rest } = this.#parts.options;
    const request = { ...rest, ...(name === undefined ? {} : { name }) };
    const remote = new RemoteGroup(link, request, {
      onReady: () => this.#ring(),
      onOver: () => this.#lose(node, remote),
    });
    const source: Source = { link, remote, isSettled: false };
    this.#sources.set(node, source);
    this.#alone.abort();
    this.#watchOwn();
    await remote.opened;
    await this.#reclaim(node, source);
  }

  take(countMax: number, signal: AbortSignal): Promise<readonly KeptMessage[]> {
    return this.#ringAtEnd(signal, this.#take(countMax, signal));
  }

  async takeNow(countMax: number): Promise<readonly KeptMessage[]> {
    const free = Math.min(countMax, this.#countFree());
    return free === 0 ? [] : this.#takeReady(free);
  }

  awaitReady(signal: AbortSignal): Promise<void> {
    this.#watchOwn();
    return this.#ringAtEnd(signal, this.#awaitReady(signal));
  }

  async claim(sequences: readonly number[]): Promise<readonly number[]> {
    const own = sequences.filter((sequence) => sequence < TOKEN_MIN);
    const kept = own.length === 0 ? [] : [...(await this.#parts.own.claim(own))];
    for (const [node, { remote }] of this.#sources) {
      const tokens = sequences.filter((token) => this.#read(token)?.node === node);
      const asked = tokens.flatMap((token) => this.#read(token)?.sequence ?? []);
      if (asked.length === 0) continue;
      const given = new Set(await remote.claim(asked));
      kept.push(...tokens.filter((token) => given.has(this.#read(token)?.sequence ?? -1)));
    }
    for (const sequence of kept) this.#hold(sequence);
    return kept;
  }

  ack(sequence: number): Promise<void> {
    return this.#settle(
      sequence,
      () => this.#parts.own.ack(sequence),
      (ack) => ({ ack }),
    );
  }

  nack(sequence: number, options: { readonly delayMs: number }): Promise<void> {
    return this.#settle(
      sequence,
      () => this.#parts.own.nack(sequence, options),
      (nack) => ({ nack, ...options }),
    );
  }

  reject(sequence: number, reason: string): Promise<void> {
    return this.#settle(
      sequence,
      () => this.#parts.own.reject(sequence, reason),
      (reject) => ({ reject, reason: reason.slice(0, 1_000) }),
    );
  }

  async release(): Promise<void> {
    this.#inOrder = true;
    await this.#parts.own.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#parts.onClose(this);
    for (const node of this.#sources.keys()) this.#drop(node, this.#inOrder);
    this.#ring();
    await this.#parts.own[Symbol.asyncDispose]();
  }

  get #isReady(): boolean {
    return this.#isOwnReady || [...this.#sources.values()].some(({ remote }) => remote.isReady);
  }

  #ring(): void {
    this.#bell.resolve();
    this.#bell = Promise.withResolvers<void>();
  }

  /** Wakes who waits when the signal aborts, as long as the work goes on. */
  #ringAtEnd<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
    const ring = (): void => this.#ring();
    signal.addEventListener("abort", ring, { once: true });
    return work.finally(() => signal.removeEventListener("abort", ring));
  }

  async #awaitReady(signal: AbortSignal): Promise<void> {
    while (!this.#isReady) {
      signal.throwIfAborted();
      await this.#bell.promise;
    }
  }

  async #take(countMax: number, signal: AbortSignal): Promise<readonly KeptMessage[]> {
    for (;;) {
      signal.throwIfAborted();
      const bell = this.#bell.promise;
      const free = Math.min(countMax, this.#countFree());
      const messages = free === 0 ? [] : await this.#takeSome(free, signal);
      if (messages.length > 0) return messages;
      if (free === 0 || !this.#isReady) await this.#rest(bell);
    }
  }

  /** While no other node is there, as a handle of this node alone: no message costs a second look. */
  async #takeSome(free: number, signal: AbortSignal): Promise<readonly KeptMessage[]> {
    if (this.#sources.size > 0) return this.#takeReady(free);
    if (this.#alone.signal.aborted) this.#alone = new AbortController();
    const either = AbortSignal.any([signal, this.#alone.signal]);
    try {
      const messages = await this.#parts.own.take(free, either);
      for (const { sequence } of messages) this.#hold(sequence);
      return messages;
    } catch (thrown) {
      if (!this.#alone.signal.aborted || signal.aborted) throw thrown;
      return [];
    }
  }

  /** Of those that have something, the one that was asked longest ago. */
  async #takeReady(free: number): Promise<readonly KeptMessage[]> {
    if (this.#isOwnReady) {
      const messages = await this.#parts.own.takeNow(free);
      // The others first now, if they have something.
      this.#isOwnReady = false;
      this.#watchOwn();
      for (const { sequence } of messages) this.#hold(sequence);
      if (messages.length > 0) return messages;
    }
    for (const [node, source] of this.#sources) {
      if (!source.remote.isReady) continue;
      const messages = await source.remote.takeNow(free);
      if (this.#sources.get(node) === source) {
        this.#sources.delete(node);
        this.#sources.set(node, source);
      }
      if (messages.length > 0) return messages.map((message) => this.#rename(node, message));
    }
    return [];
  }

  #rename(node: string, message: KeptMessage): KeptMessage {
    const { tokens, key } = this.#parts;
    const token = tokens.issue({ group: key, node, sequence: message.sequence });
    this.#hold(token);
    return { ...message, sequence: token };
  }

  /** A message of another node for this group. */
  #read(token: number) {
    const kept = token < TOKEN_MIN ? undefined : this.#parts.tokens.read(token);
    return kept?.group === this.#parts.key ? kept : undefined;
  }

  #hold(sequence: number): void {
    const { clock, options } = this.#parts;
    this.#hands.set(sequence, clock.monotonicMs() + options.ackTimeoutMs);
  }

  /** Hands that are free; what was held for too long is another's by now. */
  #countFree(): number {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const [sequence, dueMs] of this.#hands) if (dueMs <= nowMs) this.#hands.delete(sequence);
    return this.#parts.options.inFlightMax - this.#hands.size;
  }

  /** Until something changes, or the time of something that is held is over. */
  async #rest(bell: Promise<void>): Promise<void> {
    const { clock } = this.#parts;
    const waking = new AbortController();
    const dueMs = Math.min(...this.#hands.values());
    const over =
      this.#hands.size === 0
        ? bell
        : clock
            .sleep(Math.max(1, dueMs - clock.monotonicMs()), waking.signal)
            .catch(() => undefined);
    await Promise.race([bell, over]);
    waking.abort();
  }

  #watchOwn(): void {
    if (this.#isOwnWatched || this.#isOwnReady || this.#closing.signal.aborted) return;
    this.#isOwnWatched = true;
    this.#parts.own
      .awaitReady(this.#closing.signal)
      .then(() => (this.#isOwnReady = true))
      .catch(() => undefined)
      .finally(() => {
        this.#isOwnWatched = false;
        this.#ring();
      });
  }

  #settle(
    sequence: number,
    settleOwn: () => Promise<void>,
    describe: (sequence: number) => Settlement,
  ): Promise<void> {
    this.#hands.delete(sequence);
    this.#ring();
    if (sequence < TOKEN_MIN) return settleOwn();
    const kept = this.#read(sequence);
    this.#parts.tokens.forget(sequence);
    if (kept !== undefined) this.#tell(kept.node, kept.sequence, describe(kept.sequence));
    return Promise.resolve();
  }

  /** Tells a node now, or once it is there again. */
  #tell(node: string, sequence: number, settlement: Settlement): void {
    const source = this.#sources.get(node);
    if (source?.isSettled === true && source.remote.settle(settlement)) return;
    const owed = this.#owed.get(node) ?? new Map<number, Settlement>();
    this.#owed.set(node, owed.set(sequence, settlement));
  }

  /** Says what this handle still has of a node's messages, and what became of others meanwhile. */
  async #reclaim(node: string, source: Source): Promise<void> {
    const held = [...this.#hands.keys()].filter((token) => this.#read(token)?.node === node);
    const sequences = held.flatMap((token) => this.#read(token)?.sequence ?? []);
    const before = new Set([...sequences, ...(this.#owed.get(node)?.keys() ?? [])]);
    const kept = new Set(before.size === 0 ? [] : await source.remote.claim([...before]));
    if (this.#sources.get(node) !== source) return;
    for (const token of held)
      if (!kept.has(this.#read(token)?.sequence ?? -1)) this.#hands.delete(token);
    source.isSettled = true;
    const owed = this.#owed.get(node) ?? new Map<number, Settlement>();
    this.#owed.delete(node);
    for (const [sequence, settlement] of owed)
      if (kept.has(sequence) || !before.has(sequence)) source.remote.settle(settlement);
    this.#ring();
  }

  #drop(node: string, inOrder = false): void {
    const source = this.#sources.get(node);
    this.#sources.delete(node);
    source?.remote.end(inOrder);
  }

  /** A node that is linked and let the handle go is asked again. */
  #lose(node: string, remote: RemoteGroup): void {
    const source = this.#sources.get(node);
    if (source?.remote !== remote) return;
    this.#sources.delete(node);
    this.#ring();
    if (source.link.closed) return;
    const { clock } = this.#parts;
    clock.sleep(AGAIN_MS, this.#closing.signal).then(
      () => (this.#sources.has(node) ? undefined : this.setLink(node, source.link)),
      () => undefined,
    );
  }
}
