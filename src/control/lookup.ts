// SPDX-License-Identifier: Apache-2.0
// Finding what a person named.
import type { InstanceView, ScopeView, ServiceView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import { controlErrors } from "./errors.ts";

export type Found =
  | { readonly kind: "scope"; readonly scope: ScopeView }
  | { readonly kind: "service"; readonly service: ServiceView }
  | { readonly kind: "instance"; readonly instance: InstanceView; readonly service: ServiceView };

/** Throws `no-such-object`, naming the nearest, and the scope if only one was looked at. */
export function failLookup(name: string, candidates: Iterable<string>, scope?: string): never {
  const nearest = findNearest(name, candidates);
  throw new FairleadError(
    controlErrors["no-such-object"],
    `there is nothing called "${name}"${scope === undefined ? "" : ` in ${scope}`}`,
    nearest === undefined ? {} : { remedy: `did you mean "${nearest}"?` },
  );
}

function allNames(scopes: readonly ScopeView[]): string[] {
  return scopes.flatMap((scope) => [
    scope.scope,
    ...scope.services.flatMap((s) => [s.name, ...s.instances.map((instance) => instance.name)]),
  ]);
}

function isInstance(instance: InstanceView, name: string): boolean {
  const byId = name.length >= 4 && /^[0-9a-f]+$/.test(name) && instance.id.startsWith(name);
  return instance.name === name || byId || `${instance.service}-${instance.slot}` === name;
}

/** `service/web`, `instance/shop-web-1`, `scope/shop`, or a bare name: services first, then instances, then scopes. */
export function findObject(scopes: readonly ScopeView[], object: string, within?: string): Found {
  const [, prefix, rest] = /^(service|instance|scope)\/(.+)$/.exec(object) ?? [];
  const name = rest ?? object;
  const services = scopes.flatMap((scope) => scope.services);
  const found: Found[] = [];
  if (prefix === undefined || prefix === "service") {
    for (const service of services) {
      if (service.name === name || `${service.scope}/${service.name}` === name)
        found.push({ kind: "service", service });
    }
  }
  if (found.length === 0 && (prefix === undefined || prefix === "instance")) {
    for (const service of services) {
      const instance = service.instances.find((candidate) => isInstance(candidate, name));
      if (instance !== undefined) found.push({ kind: "instance", instance, service });
    }
  }
  if (found.length === 0 && (prefix === undefined || prefix === "scope")) {
    for (const scope of scopes) if (scope.scope === name) found.push({ kind: "scope", scope });
  }
  const [only, second] = found;
  if (only === undefined) return failLookup(object, allNames(scopes), within);
  if (second !== undefined) {
    throw new FairleadError(
      controlErrors["ambiguous-name"],
      `"${object}" names ${found.length} objects`,
      {
        facts: {
          scopes: found
            .map((f) => (f.kind === "scope" ? f.scope.scope : f.service.scope))
            .join(", "),
        },
      },
    );
  }
  return only;
}
