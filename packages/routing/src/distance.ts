// SPDX-License-Identifier: Apache-2.0
// How far places are from each other.
import type { Locality } from "@fairlead/protocol/agent.ts";

const EARTH_KM = 6_371;
/** Beyond one zone and region: who is about as far away shares a tier. */
const BANDS_KM = [100, 500, 2_000, 8_000];

/** Great-circle distance in km (haversine); undefined when either place has no coordinates. */
export function measureDistance(a: Locality, b: Locality): number | undefined {
  if (a.latitude === undefined || a.longitude === undefined) return undefined;
  if (b.latitude === undefined || b.longitude === undefined) return undefined;
  const toRadians = (degrees: number): number => (degrees * Math.PI) / 180;
  const north = Math.sin(toRadians(b.latitude - a.latitude) / 2) ** 2;
  const east = Math.sin(toRadians(b.longitude - a.longitude) / 2) ** 2;
  const parallel = Math.cos(toRadians(a.latitude)) * Math.cos(toRadians(b.latitude));
  return 2 * EARTH_KM * Math.asin(Math.sqrt(Math.min(1, north + east * parallel)));
}

/** 0 the same zone, 1 the same region, then by distance; those whose place is unknown come last. */
export function rankPlace(from: Locality, to: Locality): number {
  const sameRegion = from.region !== undefined && from.region === to.region;
  // Names of zones repeat between regions.
  const apart = from.region !== undefined && to.region !== undefined && !sameRegion;
  if (from.zone !== undefined && from.zone === to.zone && !apart) return 0;
  if (sameRegion) return 1;
  const km = measureDistance(from, to);
  if (km === undefined) return 2 + BANDS_KM.length + 1;
  const band = BANDS_KM.findIndex((most) => km <= most);
  return 2 + (band < 0 ? BANDS_KM.length : band);
}
