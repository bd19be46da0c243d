// SPDX-License-Identifier: Apache-2.0
// Runs the checks, one after the other, over what was gathered once.
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import type { NodeStatus, ServiceView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { defaultStateDir } from "#config/default-paths.ts";
import type { Settings } from "#config/settings.ts";
import { askEngine } from "./ask-engine.ts";
import { CERTIFICATE_CHECK } from "./certificate-check.ts";
import type { Check, Evidence, Finding } from "./check.ts";
import { DISCOVERY_CHECK } from "./discovery-check.ts";
import { DOCKER_CHECKS } from "./docker-checks.ts";
import { HOST_CHECKS } from "./host-checks.ts";
import { KERNEL_CHECKS } from "./kernel-checks.ts";
import { NET_CHECKS } from "./net-checks.ts";
import { NODE_CHECKS } from "./node-checks.ts";
import type { Report } from "./render-doctor.ts";
import { silence, type Silence } from "./silences.ts";

/** Every check, in the order of the report. */
export const CHECKS: readonly Check[] = [
  ...DOCKER_CHECKS,
  ...KERNEL_CHECKS,
  ...NET_CHECKS,
  DISCOVERY_CHECK,
  ...HOST_CHECKS,
  ...NODE_CHECKS,
  CERTIFICATE_CHECK,
];

async function askNode(context: Context): Promise<
  Pick<Evidence, "services" | "identities" | "identitiesProblem" | "unheld"> & {
    readonly node?: NodeStatus;
  }
> {
  try {
    const node = await context.api.call<NodeStatus>("GET", "status");
    const services = await context.api.list<ServiceView>("services");
    const asked = { ...(await askIdentities(context)), unheld: await askPolicies(context) };
    return { node, services: services.items, ...asked };
  } catch (thrown) {
    // That no node answers is a finding, not an error.
    if (thrown instanceof FairleadError)
      return { services: [], identities: undefined, unheld: undefined };
    throw thrown;
  }
}

async function askPolicies(context: Context): Promise<readonly string[] | undefined> {
  try {
    return (await context.api.list("policies")).missing;
  } catch (thrown) {
    if (thrown instanceof FairleadError) return undefined;
    throw thrown;
  }
}

/** What the node cannot say, as while its fleet's store is away, is no reason to say nothing of the rest. */
async function askIdentities(
  context: Context,
): Promise<Pick<Evidence, "identities" | "identitiesProblem">> {
  try {
    return { identities: (await context.api.list<IdentityView>("identities")).items };
  } catch (thrown) {
    if (thrown instanceof FairleadError)
      return { identities: undefined, identitiesProblem: thrown.message };
    throw thrown;
  }
}

/** Those that a node started from here would have; undefined when they are wrong. */
function findSettings(context: Context): Settings | undefined {
  try {
    return loadNodeSettings(context, {}).settings;
  } catch {
    return undefined;
  }
}

async function gather(context: Context): Promise<Evidence> {
  const { node, ...asked } = await askNode(context);
  const settings = findSettings(context);
  return {
    engine: await askEngine(settings?.engine.endpoint ?? "", node?.engine.endpoint, context.env),
    node,
    ...asked,
    socket: context.socket,
    stateDir: settings?.stateDir ?? defaultStateDir(context),
    listen: settings?.listen ?? "127.0.0.1:7117",
    uid: context.uid,
  };
}

async function runCheck(check: Check, evidence: Evidence): Promise<Finding> {
  try {
    return await check.run(evidence);
  } catch (thrown) {
    return {
      verdict: "unknown",
      text: `${check.name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    };
  }
}

/** What each of the checks found. Never throws for what a check could not do. */
export async function examine(
  context: Context,
  checks: readonly Check[],
  silences: readonly Silence[] = [],
): Promise<readonly Report[]> {
  const evidence = await gather(context);
  const reports: Report[] = [];
  for (const check of checks) {
    const found = silence(await runCheck(check, evidence), check.name, silences);
    const { kind, factObjects: _, ...finding } = found;
    const advice =
      kind === undefined ? {} : { id: kind.id, slug: kind.slug, so: kind.cause, try: kind.remedy };
    reports.push({ group: check.group, name: check.name, ...finding, ...advice });
  }
  return reports;
}
