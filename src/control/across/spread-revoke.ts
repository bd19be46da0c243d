// SPDX-License-Identifier: Apache-2.0
// Certificates are taken back where they were given: by the nodes whose containers are meant.
import { IdentityView } from "@fairlead/protocol/identity.ts";
import type { InstanceView } from "@fairlead/protocol/views.ts";
import { z } from "zod";
import { findObject } from "#control/lookup.ts";
import type { Caller } from "#control/operations.ts";
import { stamp, type SpreadOptions } from "./spread-options.ts";

/** Throws what a node says that cannot do its part; what others have done by then stays done. */
export async function spreadRevoke(
  { local, others, self }: SpreadOptions,
  object: string,
  how: { readonly scope?: string; readonly reason?: string },
  caller: Caller,
): Promise<readonly IdentityView[]> {
  const nodes = others.list();
  const isElsewhere = ({ node }: InstanceView): boolean => nodes.some(({ name }) => name === node);
  const { items } = await local.scopes(caller);
  const { scope } = how;
  const found = findObject(
    items.filter((view) => scope === undefined || view.scope === scope),
    object,
    scope,
  );
  if (found.kind === "scope") return local.revokeIdentity(object, how, caller);
  const meant = found.kind === "instance" ? [found.instance] : found.service.instances;
  const views: IdentityView[] = [];
  for (const node of nodes) {
    if (!meant.some((one) => one.node === node.name)) continue;
    // Names of containers and services mean the same on all nodes.
    const named =
      found.kind === "instance"
        ? `instance/${found.instance.name}`
        : `service/${found.service.name}`;
    const question = { ask: "revokeIdentity", object: named, scope: found.service.scope } as const;
    const { reason } = how;
    const asked = reason === undefined ? question : { ...question, reason };
    const revoked = await others.ask(node, asked, caller, z.array(IdentityView));
    views.push(...stamp(revoked, node.name));
  }
  if (meant.length > 0 && meant.every(isElsewhere)) return views;
  const own = await local.revokeIdentity(object, how, caller);
  return [...(nodes.length === 0 ? own : stamp(own, self)), ...views];
}
