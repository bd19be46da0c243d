// SPDX-License-Identifier: Apache-2.0
// What every route is given.
import type { AuditLog } from "#audit/audit.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Access } from "#control/access/access.ts";
import type { HostClearing } from "#control/clear-host.ts";
import type { FleetOperations } from "#control/fleet-operations.ts";
import type { NetworkDesk } from "#control/network-desk.ts";
import type { Caller, Operations } from "#control/operations.ts";
import type { Overlays } from "#control/overlays.ts";
import type { Paths } from "#control/paths.ts";
import type { PlacementDesk } from "#control/placement.ts";
import type { Policies } from "#control/policies/policies.ts";
import type { RightsDesk } from "#control/rights/rights-desk.ts";
import type { Roll } from "#control/roll.ts";
import type { Topologies } from "#control/topologies.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { ApiContext } from "./channel.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { FailureLimit, Sessions } from "./sessions.ts";
import type { ApiSettings } from "./settings.ts";
import type { Streams } from "./streams.ts";

/** What an API is made of and shows. */
export interface ApiOptions {
  readonly access: Access;
  readonly rights: RightsDesk;
  readonly operations: Operations;
  readonly fabric: Pick<Fabric, "list">;
  readonly topologies: Topologies;
  readonly fleet: FleetOperations;
  readonly host: HostClearing;
  readonly roll: Pick<Roll, "list" | "problem">;
  readonly placement: PlacementDesk;
  readonly networks: NetworkDesk;
  readonly policies: Policies;
  readonly paths: Pick<Paths, "list">;
  readonly overlays: Pick<Overlays, "list" | "problem" | "rotate">;
  readonly audit: AuditLog;
  readonly settings: ApiSettings;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Everything that the routes work with. */
export interface ApiParts extends ApiOptions {
  readonly sessions: Sessions;
  readonly failures: FailureLimit;
  readonly rates: RateLimit;
  readonly streams: Streams;
  /** Aborts when the API closes. */
  readonly closing: AbortSignal;
  /** The page's address, once a TCP listener is open. */
  pageOrigin(): string | undefined;
}

/** The caller of a request: its signal aborts when the client goes away or the API closes. */
export function createCaller(c: ApiContext, parts: ApiParts): Caller {
  const actor = c.get("who")?.actor ?? "nobody";
  return { actor, signal: AbortSignal.any([c.req.raw.signal, parts.closing]) };
}
