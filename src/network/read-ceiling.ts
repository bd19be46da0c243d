// SPDX-License-Identifier: Apache-2.0
// What the kernel believes of a path: the route's own limit, which a router's word also changes, or that of the device.
import { z } from "zod";
import { createIpRunner } from "#netfilter/run-ip.ts";
import { normalizeAddress } from "./plan-overlay.ts";

const Route = z.array(
  z.looseObject({
    dev: z.string().optional(),
    metrics: z.array(z.looseObject({ mtu: z.number().optional() })).optional(),
  }),
);
const Links = z.array(z.looseObject({ mtu: z.number() }));

/** Reads the largest packet that goes to an address in one piece, bytes. Undefined when there is no way. */
export type CeilingReader = (address: string) => Promise<number | undefined>;

/** For this host, or for another network namespace of it that a path names. */
export function createCeilingReader(netns?: string): CeilingReader {
  const ip = createIpRunner(netns);
  return async (address) => {
    const place = normalizeAddress(address);
    if (place === undefined) return undefined;
    const family = place.includes(":") ? "-6" : "-4";
    const answer = await ip.ask("ip", [family, "route", "get", place]).catch(() => []);
    const [route] = Route.parse(answer);
    const told = route?.metrics?.find(({ mtu }) => mtu !== undefined)?.mtu;
    if (told !== undefined || route?.dev === undefined) return told;
    const [link] = Links.parse(await ip.ask("ip", ["link", "show", "dev", route.dev]));
    return link?.mtu;
  };
}
