// SPDX-License-Identifier: Apache-2.0
// Who was seen talking to whom. The kernel counts, each instance for itself; here the counts of both sides become
// conversations, which stay known for a day. The kernel's own counts last an hour, so that a node that starts knows that hour.
import type { Installed, Sight } from "#guard/guard.ts";
import type { FlowEnd, FlowVerdict, FlowView } from "#model/flows.ts";
import type { PolicyStep } from "#model/policy.ts";
import type { PolicyInstance } from "#policy/world.ts";

/** More are forgotten, those that were not seen for longest first. */
const RECORDS_MAX = 20_000;
const KEPT_MS = 86_400_000;

/** What is known of the world when counts are read. */
export interface FlowScene {
  readonly nowMs: number;
  /** The instance that has an address; undefined when it is nobody's here. */
  findOwner(address: string): PolicyInstance | undefined;
  /** The name that an instance asked for and got this address; undefined when it did not. */
  findName(id: string, address: string): string | undefined;
  /** What policies say of a sight at one side. */
  explain(self: PolicyInstance, sight: Sight): PolicyStep;
}

/** What one side knows of one conversation. */
interface FlowRecord {
  readonly view: FlowView;
  /** What the kernel counted when it was last read. */
  readonly counted: number;
}

export interface FlowBook {
  /** Takes what an instance counted; gives what is new since it was last asked, with the counts of that alone. */
  take(self: PolicyInstance, installed: Installed, scene: FlowScene): readonly FlowView[];
  /** Conversations, the last seen first. */
  list(nowMs: number): readonly FlowView[];
  /** Conversations that were begun and are in no list. */
  readonly lost: number;
}

function toEnd({ scope, service, name }: PolicyInstance, address: string): FlowEnd {
  return { address, scope, service, instance: name };
}

/** Names a conversation, whoever counted it. */
function keyOf({ from, to, protocol, port }: FlowView): string {
  return `${from.instance ?? from.address} ${to.instance ?? to.address} ${protocol} ${port}`;
}

/** Both sides count what passes both, over each of their addresses; then the one that is called has the last word on what came through. */
function mergeSides(views: readonly FlowView[]): readonly FlowView[] {
  const isAnswered = views.some(({ direction }) => direction === "ingress");
  const kept = views.filter(
    ({ direction, verdict }) => !isAnswered || direction === "ingress" || verdict !== "allowed",
  );
  const alike = Map.groupBy(kept, ({ direction, verdict }) => `${direction} ${verdict}`);
  return [...alike.values()].flatMap((group) => {
    const last = group.toSorted((a, b) => b.lastAtMs - a.lastAtMs)[0];
    if (last === undefined) return [];
    const count = group.reduce((sum, one) => sum + one.count, 0);
    return [{ ...last, count, firstAtMs: Math.min(...group.map(({ firstAtMs }) => firstAtMs)) }];
  });
}

/** A book in which nothing stands. */
export function createFlowBook(): FlowBook {
  /** In the order in which they were last seen. */
  const records = new Map<string, FlowRecord>();
  /** What each instance said that it lost. */
  const losses = new Map<string, number>();
  let lost = 0;

  function add(self: PolicyInstance, sight: Sight, drops: boolean, scene: FlowScene) {
    const { direction, address, protocol, port, packets } = sight;
    const denied: FlowVerdict = drops ? "dropped" : "would-drop";
    const verdict = sight.verdict === "denied" ? denied : "allowed";
    const owner = scene.findOwner(address);
    const key = `${self.id} ${direction} ${owner?.id ?? ""} ${address} ${protocol} ${port} ${sight.verdict}`;
    const before = records.get(key);
    // A count that is smaller began anew.
    const fresh = packets - (packets >= (before?.counted ?? 0) ? (before?.counted ?? 0) : 0);
    if (fresh === 0 && before !== undefined) return undefined;
    const lastAtMs = scene.nowMs - sight.idleSeconds * 1_000;
    const step = scene.explain(self, sight);
    const name = scene.findName(self.id, address);
    const other = owner === undefined ? { address } : toEnd(owner, address);
    const peer = name === undefined ? other : { ...other, name };
    const own = toEnd(self, self.addresses.find((one) => isSameFamily(one, address)) ?? "");
    const changed = before !== undefined && before.view.verdict !== verdict;
    const view: FlowView = {
      from: direction === "ingress" ? peer : own,
      to: direction === "ingress" ? own : peer,
      protocol,
      port,
      verdict,
      direction,
      ...(step.policy === undefined ? {} : { policy: step.policy }),
      ...(step.at === undefined ? {} : { at: step.at }),
      count: fresh + (changed ? 0 : (before?.view.count ?? 0)),
      firstAtMs: changed ? lastAtMs : (before?.view.firstAtMs ?? lastAtMs),
      lastAtMs,
    };
    if (changed) records.set(`${key} ${before.view.verdict}`, { ...before, counted: 0 });
    records.delete(key);
    records.set(key, { view, counted: packets });
    return { ...view, count: fresh };
  }

  function forget(nowMs: number): void {
    for (const [key, { view }] of records) {
      const isMany = records.size > RECORDS_MAX;
      if (isMany) lost += 1;
      if (isMany || nowMs - view.lastAtMs > KEPT_MS) records.delete(key);
    }
  }

  return {
    get lost() {
      return lost;
    },
    take(self, installed, scene) {
      const before = losses.get(self.id) ?? 0;
      lost += Math.max(0, installed.lost - before);
      if (losses.size > RECORDS_MAX) losses.clear();
      losses.set(self.id, installed.lost);
      const fresh = installed.sights
        .filter((sight) => !isHousekeeping(sight))
        .flatMap((sight) => add(self, sight, installed.drops, scene) ?? []);
      forget(scene.nowMs);
      return fresh;
    },
    list(nowMs) {
      forget(nowMs);
      const groups = Map.groupBy(
        [...records.values()].map(({ view }) => view),
        keyOf,
      );
      return [...groups.values()].flatMap(mergeSides).toSorted((a, b) => b.lastAtMs - a.lastAtMs);
    },
  };
}

/** Hosts look for routers and groups on their own; nobody called anybody. */
function isHousekeeping({ protocol, address }: Sight): boolean {
  return protocol === "ipv6-icmp" && /^(?:ff02:|fe80:)/.test(address);
}

function isSameFamily(one: string, other: string): boolean {
  return one.includes(":") === other.includes(":");
}
