// SPDX-License-Identifier: Apache-2.0
import type { ServiceIntent } from "#model/intent.ts";

/** The name an instance has once its slot is settled: `shop-web-1`, or the fixed `container_name`. */
export function nameInstance(scope: string, service: ServiceIntent, slot: number): string {
  return service.fixedName ?? `${scope}-${service.name}-${slot}`;
}

/** The short name people say: `web-1`. */
export function shortName(service: string, slot: number): string {
  return `${service}-${slot}`;
}

/** `busybox` → `busybox:latest`, `docker.io/library/x` → `x:latest`: the form in which the engine lists images. */
export function normalizeReference(reference: string): string {
  const short = reference.replace(/^(?:index\.)?docker\.io\/(?:library\/)?/, "");
  if (short.includes("@") || short.startsWith("sha256:")) return short;
  const lastPart = short.slice(short.lastIndexOf("/") + 1);
  return lastPart.includes(":") ? short : `${short}:latest`;
}
