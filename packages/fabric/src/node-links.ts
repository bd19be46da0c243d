// SPDX-License-Identifier: Apache-2.0
// The links of a node to the others of its fleet, at most one that is used to each: over it calls of agents are relayed, and
// each tells who joined it and what else the others are to know. Who connects to whom, and by which way, is not decided here.
import { createAgentMirror, type AgentMirror } from "./agent-mirror.ts";
import type { Conversation } from "./conversation.ts";
import { FabricError } from "./errors.ts";
import { decodeJson, encodeJson } from "./json.ts";
import { Link } from "./link.ts";
import { createNodeDoor, NODE_METHOD, type NodeDoorOptions, type NodeMethod } from "./node-door.ts";
import { nodeOpen } from "./node-open.ts";
import type { Registry } from "./registry.ts";
import { tellOnly } from "./tell-only.ts";
import type { Transport } from "./transport.ts";

/** A node of the fleet, as others call it. */
export interface NodeIdentity {
  readonly id: string;
  readonly name: string;
}

export interface NodeLinksOptions extends Omit<NodeDoorOptions, "methods"> {
  /** This node. */
  readonly self: NodeIdentity;
  /** Everyone who can be found: agents of other nodes are put beside those that joined here. */
  readonly directory: Registry;
  readonly methods?: ReadonlyMap<string, NodeMethod>;
}

/** Whether an address that an agent of a node announces leads to it from here. */
export type Reach = (address: string, node: NodeIdentity) => boolean;
/** The link to a node is there, or is not any more. */
export type LinkListener = (node: NodeIdentity, link: Link | undefined) => void;
/** A node has told something new; the value is as it came. */
export type ToldListener = (node: NodeIdentity, key: string, value: unknown) => void;

export interface NodeLinks {
  /**
   * Takes a connection; resolves once the other end has said who it is. Throws `unauthenticated` for another than was meant,
   * `unavailable` once this node leaves.
   */
  take(
    transport: Transport,
    peer: NodeIdentity,
    options: { readonly dialled: boolean },
  ): Promise<Link>;
  /** The link that is used to a node, by id. */
  get(id: string): Link | undefined;
  /** The same by name. */
  named(name: string): Link | undefined;
  /** Ids of nodes that may be lost: nothing new goes to their agents. Replaces those before. */
  setSuspects(ids: ReadonlySet<string>): void;
  /** Says something to all nodes, now and to those that come: JSON, in place of what was said by that key. */
  tell(key: string, value: unknown): void;
  /** Says which addresses lead to agents of other nodes; none before. To be called again when that may have changed. */
  setReach(reach: Reach): void;
  /** Returns the function that ends it. */
  onTurn(listener: LinkListener): () => void;
  /** Returns the function that ends it. */
  onTold(listener: ToldListener): () => void;
  /** Tells every node that this one leaves, so that nothing new is on its way when the links end; closes them and takes no more. */
  drain(timeoutMs: number): Promise<void>;
  close(): void;
}

interface Remote {
  readonly node: NodeIdentity;
  readonly mirror: AgentMirror;
  link: Link | undefined;
  /** What it says of itself, over that link. */
  hearing: Conversation | undefined;
}

/** How long a link that another has replaced may take to end what is open on it. */
const DRAIN_MS = 60_000;

/** How long a question of the given size takes until it is answered, in milliseconds. Throws what the link does. */
export function pingNode(link: Link, sizeBytes = 0): Promise<number> {
  const beganMs = performance.now();
  const payload = sizeBytes === 0 ? {} : { payload: Buffer.alloc(sizeBytes, 0x55) };
  return new Promise((resolve, reject) => {
    const asked = link.open(nodeOpen(NODE_METHOD.ping), payload);
    asked.handlers = {
      onItem: () => undefined,
      onEnd: ({ code, message }) =>
        code === 0
          ? resolve(performance.now() - beganMs)
          : reject(new FabricError("unavailable", message)),
      onCancel: reject,
      onRoom: () => undefined,
    };
  });
}

/** What this node says, by key, to one other: the latest of each, as it has room. */
function feedState(conversation: Conversation, said: ReadonlyMap<string, unknown>) {
  const waiting = new Set(said.keys());
  const send = (): void => {
    for (const key of waiting) {
      if (conversation.over || !conversation.trySend(encodeJson({ key, value: said.get(key) })))
        return;
      waiting.delete(key);
    }
  };
  return {
    send,
    note(key: string): void {
      waiting.add(key);
      send();
    },
  };
}

/** Makes it without any link. */
export function createNodeLinks(options: NodeLinksOptions): NodeLinks {
  const { self, directory } = options;
  const remotes = new Map<string, Remote>();
  const all = new Set<Link>();
  const said = new Map<string, unknown>();
  const listening = new Map<Conversation, (key: string) => void>();
  const turnListeners = new Set<LinkListener>();
  const toldListeners = new Set<ToldListener>();
  let reach: Reach = () => false;
  let suspects: ReadonlySet<string> = new Set();
  let isLeaving = false;

  const tellState: NodeMethod = (conversation) => {
    const feed = feedState(conversation, said);
    listening.set(conversation, feed.note);
    tellOnly(conversation, {
      send: feed.send,
      stop: () => void listening.delete(conversation),
    });
    feed.send();
  };

  const methods = new Map([...(options.methods ?? []), [NODE_METHOD.state, tellState] as const]);
  const accept = createNodeDoor({ ...options, methods });

  function remoteOf(node: NodeIdentity): Remote {
    const known = remotes.get(node.id);
    if (known?.node.name === node.name) return known;
    known?.mirror.clear();
    const mirror = createAgentMirror({
      node: node.name,
      directory,
      isReachable: (address) => reach(address, node),
    });
    mirror.setSuspect(suspects.has(node.id));
    const remote: Remote = { node, mirror, link: undefined, hearing: undefined };
    remotes.set(node.id, remote);
    return remote;
  }

  /** What is told over a link that another has replaced is old. */
  function hear(remote: Remote, link: Link): void {
    const state = link.open(nodeOpen(NODE_METHOD.state, true));
    if (remote.hearing?.over === false) remote.hearing.end();
    remote.hearing = state;
    state.handlers = {
      onItem(payload) {
        state.consumed(payload.length);
        const { key, value } = decodeJson(payload) as { key: string; value: unknown };
        if (remote.link !== link) return;
        for (const listener of toldListeners) listener(remote.node, String(key), value);
      },
      onEnd: () => undefined,
      onCancel: () => undefined,
      onRoom: () => undefined,
    };
  }

  function tellTurn({ node, link }: Remote): void {
    for (const listener of turnListeners) listener(node, link);
  }

  /** Who dialled gives up the former link: it has heard over the new one that the other uses that already. */
  function use(remote: Remote, link: Link, dialled: boolean): void {
    const former = remote.link;
    remote.link = link;
    remote.mirror.follow(link);
    hear(remote, link);
    tellTurn(remote);
    if (former !== undefined && dialled) void former.drain(DRAIN_MS);
  }

  function lose(link: Link): void {
    all.delete(link);
    for (const remote of remotes.values()) {
      if (remote.link !== link) continue;
      remote.link = undefined;
      remote.mirror.clear();
      tellTurn(remote);
    }
  }

  return {
    async take(transport, peer, { dialled }) {
      if (isLeaving) {
        const error = new FabricError("unavailable", `${self.name} is leaving`);
        transport.destroy(error);
        throw error;
      }
      const link = new Link({
        transport,
        dialled,
        self: { ...self, scope: "" },
        accept,
        admit({ id, name, scope }) {
          if (id === peer.id && name === peer.name && scope === "") return;
          throw new FabricError("unauthenticated", `${name} is not ${peer.name}`, {
            reason: "identity",
          });
        },
        onClosed: lose,
      });
      all.add(link);
      await link.ready;
      use(remoteOf(peer), link, dialled);
      return link;
    },
    get: (id) => remotes.get(id)?.link,
    named: (name) => [...remotes.values()].find(({ node }) => node.name === name)?.link,
    setSuspects(ids) {
      suspects = ids;
      for (const { node, mirror } of remotes.values()) mirror.setSuspect(ids.has(node.id));
    },
    tell(key, value) {
      said.set(key, value);
      for (const note of listening.values()) note(key);
    },
    setReach(next) {
      reach = next;
      for (const { mirror } of remotes.values()) mirror.refresh();
    },
    onTurn(listener) {
      turnListeners.add(listener);
      return () => void turnListeners.delete(listener);
    },
    onTold(listener) {
      toldListeners.add(listener);
      return () => void toldListeners.delete(listener);
    },
    async drain(timeoutMs) {
      isLeaving = true;
      await Promise.all([...all].map((link) => link.drain(timeoutMs)));
    },
    close() {
      for (const link of all) link.close();
    },
  };
}
