// SPDX-License-Identifier: Apache-2.0
// What was done about a service's address, as a decision says it.
import type { PlannedAction } from "#model/action.ts";

interface Words {
  readonly act: "address.give" | "address.take" | "address.repair";
  readonly object: string;
  readonly title: string;
  readonly kind: PlannedAction["trigger"]["kind"];
  readonly detail: string;
  readonly nowMs: number;
}

function describe({ act, object, title, kind, detail, nowMs }: Words): PlannedAction {
  return {
    key: `address/${object}`,
    act,
    ...(act === "address.repair" ? {} : { service: object }),
    object,
    title,
    trigger: { kind, detail, atMs: nowMs },
    rule: { text: "fairlead.address" },
    inputs: {},
    notDone: [],
  };
}

const nameOf = (key: string): string => key.slice(key.indexOf("/") + 1);

/** A service gets its address. */
export function describeGift(key: string, nowMs: number): PlannedAction {
  const title = `gave ${nameOf(key)} its address`;
  const detail = "its file asks for one";
  return describe({
    act: "address.give",
    object: nameOf(key),
    title,
    kind: "change",
    detail,
    nowMs,
  });
}

/** Nobody wants the service any more. */
export function describeTaking(key: string, nowMs: number): PlannedAction {
  const title = `took the address of ${nameOf(key)} back`;
  const detail = "no file asks for one any more";
  return describe({
    act: "address.take",
    object: nameOf(key),
    title,
    kind: "change",
    detail,
    nowMs,
  });
}

/** Somebody else has changed the rules of the host, or of a container. */
export function describeRepair(object: string, nowMs: number): PlannedAction {
  const title = `repaired service addresses in ${object}`;
  const detail = "the table fairlead_services was not as this node had made it";
  return describe({ act: "address.repair", object, title, kind: "missing", detail, nowMs });
}
