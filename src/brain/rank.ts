// SPDX-License-Identifier: Apache-2.0
import type { InstanceFact, InstanceHealth, InstanceState } from "#model/facts.ts";

const OF_STATE: Readonly<Record<InstanceState, number>> = {
  running: 6,
  paused: 4,
  restarting: 3,
  exited: 2,
  created: 1,
  dead: 0,
  removing: -1,
};
const OF_HEALTH: Readonly<Record<InstanceHealth, number>> = {
  healthy: 0.3,
  none: 0.2,
  starting: 0.1,
  unhealthy: -0.5,
};

function rank(instance: InstanceFact): number {
  return OF_STATE[instance.state] + (instance.state === "running" ? OF_HEALTH[instance.health] : 0);
}

/** The best container of a slot first, the newer of two alike; a total order, so that every pass chooses alike. */
export function compareInstances(a: InstanceFact, b: InstanceFact): number {
  return rank(b) - rank(a) || b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1);
}
