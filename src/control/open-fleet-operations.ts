// SPDX-License-Identifier: Apache-2.0
import { TOKEN_TTL_MS, TOKEN_USES } from "@fairlead/protocol/fleet.ts";
import { renderJoinToken } from "@fairlead/protocol/join-token.ts";
import type { Clock, Random } from "#base/clock.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import { createId } from "#base/ids.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Store } from "#store/store.ts";
import type { DecisionLog } from "./decision-log.ts";
import { controlErrors } from "./errors.ts";
import type { FleetOperations } from "./fleet-operations.ts";
import type { Fleet } from "./fleet.ts";
import { keepToken, listTokens, revokeToken } from "./join-tokens.ts";
import type { AskedBy } from "./topologies.ts";

export interface FleetOperationsOptions {
  /** Undefined for a node by itself. */
  readonly fleet: Fleet | undefined;
  /** Name of this node. */
  readonly node: string;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
  readonly random: Random;
}

type Act = Pick<PlannedAction, "act" | "object" | "title" | "inputs"> & { readonly rule: string };

/** Opens the operations; each opens the fleet's store for itself, as people ask seldom. */
export function openFleetOperations(options: FleetOperationsOptions): FleetOperations {
  const { node, decisions, clock, random } = options;

  function need(): Fleet {
    if (options.fleet !== undefined) return options.fleet;
    throw new FairleadError(controlErrors["no-fleet"], `${node} belongs to no fleet`);
  }

  /** Does what a person asked for under its decision: what fails is written down, and thrown. */
  async function perform<T>(
    { rule, ...act }: Act,
    by: AskedBy,
    work: (store: Store) => Promise<{ readonly answer: T; readonly result: string }>,
  ): Promise<T> {
    await using store = await need().openStore();
    const trigger = {
      kind: "person",
      detail: `asked by ${by.actor}`,
      atMs: clock.nowMs(),
    } as const;
    const action = { ...act, key: act.object, trigger, rule: { text: rule }, notDone: [] };
    const decision = await decisions.begin(action, { scope: "", ...by });
    try {
      const { answer, result } = await work(store);
      await decisions.finish(decision, { outcome: "done", result });
      return answer;
    } catch (thrown) {
      const result = FairleadError.from(thrown).message;
      await decisions.finish(decision, { outcome: "failed", result });
      throw thrown;
    }
  }

  return {
    async createToken(request, by) {
      const fleet = need();
      const { ttlMs = TOKEN_TTL_MS.default, uses = TOKEN_USES.default } = request;
      const nowMs = clock.nowMs();
      const proof = { id: createId("tok", nowMs, random), secret: fleet.makeKey() };
      const access = await fleet.describeAccess();
      const act = {
        act: "token.create",
        object: `token/${proof.id}`,
        title: `made a token to join ${fleet.name}`,
        rule: `${uses} uses within ${formatDuration(ttlMs)}`,
        inputs: { ttlMs, uses },
      } as const;
      return perform(act, by, async (store) => {
        const createdBy = `${by.actor} on ${node}`;
        const view = await keepToken(store, { ...proof, ttlMs, uses, createdBy, nowMs });
        const { endpoints = access.endpoints } = request;
        const ca = access.ca === undefined ? {} : { ca: access.ca };
        const text = renderJoinToken({
          fleet: fleet.name,
          endpoints: [...endpoints],
          ...ca,
          ...proof,
        });
        const answer = { fleet: fleet.name, endpoints: [...endpoints], view, text };
        return { answer, result: "kept in the fleet's store, as a hash" };
      });
    },
    async listTokens() {
      await using store = await need().openStore();
      return await listTokens(store);
    },
    async revokeToken(id, by) {
      const act = {
        act: "token.revoke",
        object: `token/${id}`,
        title: `revoked the token ${id}`,
        rule: "a revoked token lets nobody join",
        inputs: {},
      } as const;
      return perform(act, by, async (store) => ({
        answer: await revokeToken(store, id, `${by.actor} on ${node}`),
        result: "nobody joins with it any more",
      }));
    },
  };
}
