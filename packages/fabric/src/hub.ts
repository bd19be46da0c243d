// SPDX-License-Identifier: Apache-2.0
// The node's end of the fabric: agents join over their links, find and watch each other, and are relayed to those whom they
// cannot reach themselves. What it does beyond that (the log, the engine) it is given as methods.
import { AgentRecord } from "@fairlead/protocol/agent.ts";
import {
  FindRequest,
  JoinRequest,
  LinkReport,
  type JoinAnswer,
} from "@fairlead/protocol/fabric.ts";
import { FACE_TAG } from "@fairlead/protocol/names.ts";
import { checkRelayed, type AgentRights } from "./agent-rights.ts";
import { checkIdentity } from "./check-identity.ts";
import { checkLink } from "./check-link.ts";
import type { Conversation } from "./conversation.ts";
import { FabricError } from "./errors.ts";
import { feedChanges } from "./feed-changes.ts";
import type { Hello } from "./frame.ts";
import { encodeJson, parseJson } from "./json.ts";
import { LinkMeter } from "./link-tally.ts";
import { Link } from "./link.ts";
import { matchesFilter, type Registry } from "./registry.ts";
import { HOPS_MAX, relayConversation } from "./relay.ts";
import type { RouteBoard } from "./route-board.ts";
import { createSigner, type Signer } from "./signer.ts";
import { issueTicket, vouchForCaller } from "./ticket.ts";
import { TokenBucket } from "./token-bucket.ts";
import { createTrafficLedger, type TrafficLedger } from "./traffic-ledger.ts";
import type { Transport } from "./transport.ts";

/** Answers a conversation that an agent opened with the node itself. Throws to refuse. */
export type HubMethod = (conversation: Conversation, caller: Hello, link: Link) => void;

export interface HubOptions {
  /** Who joined here. */
  readonly registry: Registry;
  /** Who can be found and called, those that joined other nodes too; `registry` by default. */
  readonly directory?: Registry;
  /** Name and id of the node. */
  readonly node: { readonly id: string; readonly name: string };
  /** How agents choose among instances of a service that says nothing itself. */
  readonly route?: string;
  readonly nowMs: () => number;
  /** Secret of a scope; the key that signs the tickets of its agents is made of it. */
  readonly keyOf: (scope: string) => string;
  /** Chooses the instance that is to answer. */
  readonly pick: (
    candidates: readonly AgentRecord[],
    open: Conversation["open"],
  ) => AgentRecord | undefined;
  readonly methods?: ReadonlyMap<string, HubMethod>;
  readonly routes: RouteBoard;
  /** Learns who talks to whom. */
  readonly traffic?: TrafficLedger;
  /** Changes a record before others see it. */
  readonly judge?: (record: AgentRecord) => AgentRecord;
  /** Throws to refuse a peer. */
  readonly admit?: (peer: Hello) => void;
  /** Links by agent id, shared by all the hubs of a node. */
  readonly links?: Map<string, Link>;
  /** Calls and streams of one agent that are passed on each second; 20,000 by default, more than a node can do. */
  readonly relaysPerSecondMax?: number;
  /** What agents of a scope may do with each other, where that is said. */
  readonly rights?: AgentRights;
  /** The link to another node, for agents that joined there. */
  readonly linkTo?: (node: string) => Link | undefined;
}

export interface Hub {
  /** Takes a peer that dialled; `admit` is asked besides the hub's own, for one that came by a door of its own. */
  accept(transport: Transport, admit?: (peer: Hello) => void): void;
  /** Tells every agent that the node is leaving; what is open may end. */
  drain(timeoutMs: number): Promise<void>;
  close(): void;
  readonly links: number;
}

const RELAYS_PER_SECOND_MAX = 20_000;

/** Tells who is there, and where the caller may send; nobody is told anything before that is known: joining takes until it is wired. */
function watchRegistry(
  conversation: Conversation,
  caller: Hello,
  registry: Registry,
  {
    routes,
    show,
  }: { readonly routes: RouteBoard; readonly show: (one: AgentRecord) => AgentRecord },
): void {
  const filter = { ...parseJson(conversation.first, FindRequest), scope: caller.scope };
  let rewired = true;
  let send = (): void => undefined;
  const stopRoutes = routes.watch((scope) => {
    if (scope !== caller.scope) return;
    rewired = true;
    send();
  });
  send = feedChanges(conversation, {
    registry,
    isWanted: (record) => matchesFilter(record, filter),
    show,
    before() {
      if (routes.isHeld(caller.scope, caller.name)) return false;
      if (!rewired) return true;
      const own = routes.of(caller.scope, caller.name) ?? null;
      rewired = !conversation.trySend(encodeJson({ type: "routes", routes: own }));
      return !rewired;
    },
    onStop: stopRoutes,
  });
}

function omitKey(request: JoinRequest): Omit<JoinRequest, "key"> {
  const said = { ...request };
  delete said.key;
  return said;
}

/** Whether they are two who talk to each other: what commands of people say is nobody's business. */
function isTalk(caller: AgentRecord | undefined, target: AgentRecord): boolean {
  return caller?.tags[FACE_TAG] === undefined && target.tags[FACE_TAG] === undefined;
}

/** Counts the question that came with the opening, and gives what counts each item after it. */
function meterMessages(meter: LinkMeter, { first }: Conversation): () => void {
  if (first !== undefined) meter.count();
  return () => meter.count();
}

/** The records of a scope as its agents are told them. */
function hideAddresses({ rights }: HubOptions, scope: string): (one: AgentRecord) => AgentRecord {
  if (rights?.governs(scope) !== true) return (record) => record;
  return (record) => ({ ...record, addresses: [] });
}

/** Makes the hub of a node. */
export function createHub(options: HubOptions): Hub {
  const { registry, directory = registry, traffic = createTrafficLedger() } = options;
  const links = new Set<Link>();
  /** Links of agents that joined here, by agent id. */
  const joined = options.links ?? new Map<string, Link>();
  /** By the secret of a scope. */
  const signers = new Map<string, Signer>();
  const buckets = new WeakMap<Link, TokenBucket>();

  function signerOf(scope: string): Signer {
    const key = options.keyOf(scope);
    const signer = signers.get(key) ?? createSigner(key);
    signers.set(key, signer);
    return signer;
  }

  /** The record lives as long as the conversation; each item replaces what may change in it. */
  function join(conversation: Conversation, caller: Hello, link: Link): void {
    const request = parseJson(conversation.first, JoinRequest);
    const before = joined.get(caller.id);
    if (before !== undefined && before !== link)
      throw new FabricError("already_exists", `${caller.id} has joined already`);
    const write = (next: JoinRequest): void => {
      const record = AgentRecord.parse({
        ...omitKey(next),
        id: caller.id,
        name: caller.name,
        scope: caller.scope,
        node: options.node.name,
        joinedAtMs: registry.get(caller.id)?.joinedAtMs ?? options.nowMs(),
      });
      registry.put(options.judge?.(record) ?? record);
    };
    write(request);
    joined.set(caller.id, link);
    const leave = (reason: "left" | "connection-lost"): void => {
      if (joined.get(caller.id) === link) joined.delete(caller.id);
      registry.remove(caller.id, reason);
    };
    conversation.handlers = {
      onItem(payload) {
        conversation.consumed(payload.length);
        try {
          write(parseJson(payload, JoinRequest));
        } catch (thrown) {
          leave("left");
          conversation.fail(FabricError.from(thrown, "invalid_argument"));
        }
      },
      onEnd() {
        leave("left");
        conversation.end();
      },
      onCancel: () => leave("connection-lost"),
      onRoom: () => undefined,
    };
    const answer: JoinAnswer = {
      node: options.node,
      scope: caller.scope,
      key: signerOf(caller.scope).publicKey,
      ...(request.key === undefined
        ? {}
        : { ticket: issueTicket(signerOf(caller.scope), caller, request.key) }),
      ...(options.route === undefined ? {} : { route: options.route }),
    };
    try {
      conversation.trySend(encodeJson(answer));
    } catch (thrown) {
      leave("left");
      throw thrown;
    }
  }

  function find(conversation: Conversation, caller: Hello): void {
    const filter = { ...parseJson(conversation.first, FindRequest), scope: caller.scope };
    const agents = directory.list(filter).map(hideAddresses(options, caller.scope));
    conversation.end(encodeJson({ agents }));
  }

  /** Throws `resource_exhausted` for an agent that asks for more than is passed on. */
  function limitRelays(link: Link): void {
    const { relaysPerSecondMax = RELAYS_PER_SECOND_MAX } = options;
    const nowMs = performance.now();
    const bucket = buckets.get(link) ?? new TokenBucket(relaysPerSecondMax, nowMs);
    buckets.set(link, bucket);
    if (bucket.take(nowMs)) return;
    throw new FabricError(
      "resource_exhausted",
      `more than ${relaysPerSecondMax} calls a second are not passed on for one agent`,
      { reason: "rate" },
    );
  }

  function relay(conversation: Conversation, from: Link): void {
    limitRelays(from);
    const caller = from.peer;
    const { open } = conversation;
    // `first/rest`: to the first, which passes it on to the rest.
    const [first = "", ...rest] = open.target.split("/");
    const candidates = directory.named(caller.scope, first);
    if (candidates.length === 0) {
      throw new FabricError("not_found", `no agent "${first}" in scope ${caller.scope}`, {
        reason: "no-agent",
        retryable: true,
      });
    }
    const target = options.pick(candidates, open);
    if (target === undefined) {
      throw new FabricError("unavailable", `no instance of "${open.target}" takes calls now`, {
        reason: "no-instance",
        facts: { instances: String(candidates.length) },
      });
    }
    if (options.routes.isHeld(caller.scope, caller.name)) {
      throw new FabricError("unavailable", `${caller.name} is being wired into the topology`, {
        reason: "wiring",
      });
    }
    const tally = traffic.relayed(caller.scope);
    try {
      checkLink(options.routes.of(caller.scope, caller.name), caller.name, target.name);
    } catch (refusal) {
      tally.at(caller.name, target.name).refused++;
      throw refusal;
    }
    if (options.rights?.governs(caller.scope) === true)
      checkRelayed(options.rights, caller, [target.name, ...rest], conversation);
    const own = joined.get(target.id);
    const [last] = rest.slice(-1);
    // A member that passes it on cannot say who asks; where the agent has not proven it, its node knows.
    const proof =
      last === undefined || open.proof !== ""
        ? open.proof
        : vouchForCaller(signerOf(caller.scope), caller.id, { target: last, method: open.method });
    const link = own ?? options.linkTo?.(target.node ?? "");
    if (link === undefined)
      throw new FabricError("unavailable", `node ${target.node ?? "?"} cannot be reached`, {
        reason: "node-away",
      });
    const next = {
      ...open,
      target: [target.id, ...rest].join("/"),
      caller: `${caller.scope}/${caller.name}`,
      proof,
    };
    const onMessage = isTalk(registry.get(caller.id), target)
      ? meterMessages(new LinkMeter(tally, caller.name, target.name), conversation)
      : undefined;
    const limit = { hopsMax: HOPS_MAX, counts: own === undefined };
    relayConversation(conversation, link, next, limit, onMessage);
  }

  /** What an agent sent past this node; of links that are not its own it knows nothing. */
  function report(conversation: Conversation, caller: Hello, link: Link): void {
    if (joined.get(caller.id) !== link)
      throw new FabricError("failed_precondition", `${caller.id} has not joined`);
    const { links: told, omitted } = parseJson(conversation.first, LinkReport);
    const own = told.filter(({ from, to }) => from === caller.name || to === caller.name);
    traffic.report({ scope: caller.scope, id: caller.id, name: caller.name, links: own, omitted });
    conversation.end();
  }

  const own: ReadonlyMap<string, HubMethod> = new Map<string, HubMethod>([
    ["$node/join", join],
    ["$node/find", find],
    ["$node/report", report],
    [
      "$node/watch",
      (conversation, caller) =>
        watchRegistry(conversation, caller, directory, {
          routes: options.routes,
          show: hideAddresses(options, caller.scope),
        }),
    ],
  ]);

  function accept(conversation: Conversation, link: Link): void {
    const { target, method } = conversation.open;
    if (target !== "") return relay(conversation, link);
    const handler = own.get(method) ?? options.methods?.get(method);
    if (handler === undefined)
      throw new FabricError("unimplemented", `the node has no method ${method}`);
    handler(conversation, link.peer, link);
  }

  return {
    accept(transport, admit) {
      const link = new Link({
        transport,
        dialled: false,
        self: { ...options.node, scope: "" },
        accept,
        admit(peer) {
          checkIdentity(peer);
          options.admit?.(peer);
          admit?.(peer);
        },
        onClosed: () => void links.delete(link),
      });
      links.add(link);
    },
    async drain(timeoutMs) {
      await Promise.all([...links].map((link) => link.drain(timeoutMs)));
    },
    close() {
      for (const link of links) link.close();
    },
    get links() {
      return links.size;
    },
  };
}
