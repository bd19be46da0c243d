// SPDX-License-Identifier: Apache-2.0
import { renderJoinToken } from "@fairlead/protocol/join-token.ts";
import { MARKS_OF, type NodeAction, type NodeFarewell } from "@fairlead/protocol/node.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { TOKEN_TTL_MS, TOKEN_USES } from "@fairlead/protocol/tokens.ts";
import type { Clock, Random } from "#base/clock.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import { createId } from "#base/ids.ts";
import { findNearest } from "#base/nearest.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Store } from "#store/store.ts";
import type { DecisionLog } from "./decision-log.ts";
import { controlErrors } from "./errors.ts";
import type { FleetOperations } from "./fleet-operations.ts";
import type { Fleet } from "./fleet.ts";
import { revokeGiven } from "./identity/given-notes.ts";
import {
  listIdentities,
  listOwnAuthorities,
  revokeNode,
  turnFleetAuthority,
} from "./identity/identity-acts.ts";
import type { OwnAuthority } from "./identity/own-authority.ts";
import { keepToken, listTokens, revokeToken } from "./join-tokens.ts";
import { leaveRoll, markNode } from "./roll-entries.ts";
import type { Roll } from "./roll.ts";
import type { AskedBy } from "./topologies.ts";

export interface FleetOperationsOptions {
  /** Undefined for a node by itself. */
  readonly fleet: Fleet | undefined;
  /** The authority of a node by itself. */
  readonly own: () => OwnAuthority | undefined;
  readonly roll: Pick<Roll, "list" | "leave">;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
  readonly random: Random;
}

type Act = Pick<PlannedAction, "act" | "object" | "title" | "inputs"> & { readonly rule: string };

const SAID: Readonly<Record<NodeAction, { readonly title: string; readonly result: string }>> = {
  cordon: { title: "cordoned", result: "nothing new is placed on it" },
  uncordon: { title: "uncordoned", result: "it takes part in placement again" },
  drain: { title: "began to drain", result: "what runs on it shall go elsewhere" },
};

/** Opens the operations; each opens the fleet's store for itself, as people ask seldom. */
export function openFleetOperations(options: FleetOperationsOptions): FleetOperations {
  const { roll, decisions, clock, random } = options;

  /** This node, as its roll has it. */
  function self(): NodeView {
    const found = roll.list().find((view) => view.self);
    if (found === undefined) throw new Error("a roll begins with its own node");
    return found;
  }

  function need(): Fleet {
    if (options.fleet !== undefined) return options.fleet;
    throw new FairleadError(controlErrors["no-fleet"], `${self().name} belongs to no fleet`);
  }

  function findNode(node: string): NodeView {
    need();
    const views = roll.list();
    const found = views.find(({ id }) => id === node) ?? views.find(({ name }) => name === node);
    if (found !== undefined) return found;
    const nearest = findNearest(
      node,
      views.map(({ name }) => name),
    );
    throw new FairleadError(controlErrors["no-such-object"], `the fleet has no node ${node}`, {
      remedy:
        nearest === undefined
          ? "see `fairlead nodes` for the names there are"
          : `did you mean ${nearest}?`,
    });
  }

  /** Does what a person asked for under its decision: what fails is written down, and thrown. */
  async function perform<T>(
    act: Act,
    by: AskedBy,
    work: (store: Store) => Promise<{ readonly answer: T; readonly result: string }>,
  ): Promise<T> {
    await using store = await need().openStore();
    return await decide(act, by, () => work(store));
  }

  async function decide<T>(
    { rule, ...act }: Act,
    by: AskedBy,
    work: () => Promise<{ readonly answer: T; readonly result: string }>,
  ): Promise<T> {
    const trigger = {
      kind: "person",
      detail: `asked by ${by.actor}`,
      atMs: clock.nowMs(),
    } as const;
    const action = { ...act, key: act.object, trigger, rule: { text: rule }, notDone: [] };
    const decision = await decisions.begin(action, { scope: "", ...by });
    try {
      const { answer, result } = await work();
      await decisions.finish(decision, { outcome: "done", result });
      return answer;
    } catch (thrown) {
      const result = FairleadError.from(thrown).message;
      await decisions.finish(decision, { outcome: "failed", result });
      throw thrown;
    }
  }

  /** Says what it has ended of what the node gave to its containers. */
  async function endGiven(store: Store, node: Pick<NodeView, "id" | "name">): Promise<string> {
    const count = await revokeGiven(store, node, clock.nowMs());
    const what = count === 1 ? "a certificate" : `${count} certificates`;
    return count === 0 ? "" : `; ${what} of its containers will not be believed any more`;
  }

  function sayFarewell(
    { id, name, incarnation }: NodeView,
    how: NodeFarewell["how"],
    { actor, reason }: AskedBy,
  ): NodeFarewell {
    const by = `${actor} on ${self().name}`;
    return {
      id,
      name,
      incarnation,
      how,
      by,
      at: self().id,
      ...(reason === undefined ? {} : { reason }),
    };
  }

  return {
    async createToken(request, by) {
      const fleet = need();
      const { ttlMs = TOKEN_TTL_MS.default, uses = TOKEN_USES.default } = request;
      const nowMs = clock.nowMs();
      const proof = { id: createId("tok", nowMs, random), secret: fleet.makeKey() };
      const access = await fleet.describeAccess(request.endpoints);
      const act = {
        act: "token.create",
        object: `token/${proof.id}`,
        title: `made a token to join ${fleet.name}`,
        rule: `for ${uses} hosts, within ${formatDuration(ttlMs)}`,
        inputs: { ttlMs, uses },
      } as const;
      return perform(act, by, async (store) => {
        const createdBy = `${by.actor} on ${self().name}`;
        const view = await keepToken(store, { ...proof, ttlMs, uses, createdBy, nowMs });
        const endpoints = [...access.endpoints];
        const ca = access.ca === undefined ? {} : { ca: access.ca };
        const text = renderJoinToken({ fleet: fleet.name, endpoints, ...ca, ...proof });
        const answer = { fleet: fleet.name, endpoints, view, text };
        return { answer, result: "kept in the fleet's store, as a hash" };
      });
    },
    async listTokens() {
      await using store = await need().openStore();
      return await listTokens(store);
    },
    revokeToken(id, by) {
      const act = {
        act: "token.revoke",
        object: `token/${id}`,
        title: `revoked the token ${id}`,
        rule: "a revoked token lets nobody join",
        inputs: {},
      } as const;
      return perform(act, by, async (store) => ({
        answer: await revokeToken(store, id, `${by.actor} on ${self().name}`),
        result: "nobody joins with it any more",
      }));
    },
    async mark(node, action, by) {
      const { id, name, state } = findNode(node);
      const { title, result } = SAID[action];
      const act = {
        act: `node.${action}`,
        object: `node/${name}`,
        title: `${title} ${name}`,
        rule: "a node is used as people say",
        inputs: { id, state },
      } as const;
      return perform(act, by, async (store) => ({
        answer: await markNode(store, { id, name }, MARKS_OF[action]),
        result,
      }));
    },
    async remove(node, by) {
      const view = findNode(node);
      const { id, name, state } = view;
      const act = {
        act: "node.remove",
        object: `node/${name}`,
        title: `removed ${name} from the fleet`,
        rule: "only a node that is gone is removed",
        inputs: { id, state },
      } as const;
      return perform(act, by, async (store) => {
        const isAway = state === "gone" || state === "left";
        const farewell = sayFarewell(view, "removed", by);
        if (!isAway || !(await leaveRoll(store, farewell)))
          throw new FairleadError(controlErrors["node-alive"], `${name} may live`, {
            facts: { state, ...(view.reason && { because: view.reason }) },
          });
        const ended = await endGiven(store, view);
        return { answer: farewell, result: `it has to join anew with a token${ended}` };
      });
    },
    async leave(by) {
      const { id, name } = self();
      const act = {
        act: "node.leave",
        object: `node/${name}`,
        title: `left the fleet ${need().name}`,
        rule: "a node leaves when it is told to",
        inputs: { id },
      } as const;
      return perform(act, by, async (store) => {
        const farewell = sayFarewell(self(), "left", by);
        await roll.leave();
        await leaveRoll(store, farewell);
        const ended = await endGiven(store, { id, name });
        return { answer: farewell, result: `the others were told${ended}` };
      });
    },
    async listIdentities() {
      const own = options.own();
      if (own !== undefined) return listOwnAuthorities(own);
      const fleet = need();
      await using store = await fleet.openStore();
      return await listIdentities(store, fleet, clock.nowMs());
    },
    async rotateIdentities(by) {
      const own = options.own();
      const name = options.fleet?.name ?? self().name;
      const act = {
        act: "identity.change",
        object: own === undefined ? `fleet/${name}` : `node/${name}`,
        title: `made a new authority for ${name}`,
        rule: "who believes the one before believes the new one",
        inputs: {},
      } as const;
      if (own !== undefined)
        return decide(act, by, async () => {
          await own.turn(self().name);
          return { answer: listOwnAuthorities(own), result: "containers get certificates of it" };
        });
      const fleet = need();
      return perform(act, by, async (store) => {
        await turnFleetAuthority(store, fleet, { nowMs: clock.nowMs(), by: self().name });
        const answer = await listIdentities(store, fleet, clock.nowMs());
        return { answer, result: "nodes take certificates of it" };
      });
    },
    hasNode: (node) =>
      options.fleet !== undefined && roll.list().some(({ id, name }) => [id, name].includes(node)),
    revokeIdentity(node, by) {
      const fleet = need();
      const { id, name, state } = findNode(node);
      const act = {
        act: "identity.change",
        object: `node/${name}`,
        title: `revoked the certificate of ${name}`,
        rule: "a certificate that the store does not name is not believed",
        inputs: { id, state },
      } as const;
      return perform(act, by, async (store) => {
        await revokeNode(store, id);
        const answer = await listIdentities(store, fleet, clock.nowMs());
        return { answer, result: "its connections are cut; if it lives it takes another" };
      });
    },
  };
}
