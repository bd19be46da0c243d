// SPDX-License-Identifier: Apache-2.0
// How far apart members are, so that a ring passes each region once.
import type { Locality } from "@fairlead/protocol/agent.ts";

const EARTH_RADIUS_KM = 6_371;
const ZONES_APART_KM = 100;
const REGIONS_APART_KM = 10_000;

function toRadians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/** Great-circle distance in kilometres; undefined when a coordinate is not known. */
function measureKm(a: Locality, b: Locality): number | undefined {
  if (a.latitude === undefined || a.longitude === undefined) return undefined;
  if (b.latitude === undefined || b.longitude === undefined) return undefined;
  const [lat1, lat2] = [toRadians(a.latitude), toRadians(b.latitude)];
  const chord =
    Math.sin((lat2 - lat1) / 2) ** 2 +
    Math.cos(lat1) * Math.cos(lat2) * Math.sin(toRadians(b.longitude - a.longitude) / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(chord)));
}

/** Kilometres between two places: measured where both have coordinates, otherwise a guess by region and zone. */
export function estimateDistanceKm(a: Locality, b: Locality): number {
  const measured = measureKm(a, b);
  if (measured !== undefined) return measured;
  if (a.region !== b.region) return REGIONS_APART_KM;
  return a.zone === b.zone ? 0 : ZONES_APART_KM;
}
