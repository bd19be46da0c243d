// SPDX-License-Identifier: Apache-2.0
// What stands in a namespace, read back from nft and asked as the kernel would: with its maps and sets, not with what we
// wanted them to be.
import { parseAddress } from "#base/addresses.ts";
import type { Installed, Pin, Question, Sight } from "#guard/guard.ts";
import type { NetfilterOptions } from "#netfilter/ask-rules.ts";
import type { Netfilter, NftFamily, NftObject } from "#netfilter/netfilter.ts";
import {
  isCount,
  listSightSets,
  MARK_EVERYTHING,
  namedSet,
  PROTOCOL_NAMES,
  SIGHTS_FOR_SECONDS,
  type Side,
} from "./names.ts";

type Json = string | number | readonly Json[] | { readonly [key: string]: Json };

function isRecord(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

/** Elements of a map or set, as nft prints them. */
function elementsOf(objects: readonly NftObject[], name: string): readonly Json[] {
  for (const object of objects) {
    const holder = object["map"] ?? object["set"];
    if (holder?.["name"] !== name) continue;
    const elements = holder["elem"];
    return isList(elements) ? elements : [];
  }
  return [];
}

/** `10.0.0.1`, `{ prefix: { addr, len } }` or `{ range: [from, to] }`. */
function coversAddress(key: Json, address: string): boolean {
  if (typeof key === "string") return key === address;
  const asked = parseAddress(address);
  if (asked === undefined || !isRecord(key)) return false;
  const { prefix, range } = key;
  if (isList(range)) {
    const [first, last] = range.map((end) => parseAddress(String(end)));
    if (first === undefined || last === undefined || first.family !== asked.family) return false;
    return first.value <= asked.value && asked.value <= last.value;
  }
  if (!isRecord(prefix)) return false;
  const start = parseAddress(String(prefix["addr"]));
  if (start?.family !== asked.family) return false;
  const shift = BigInt((asked.family === 4 ? 32 : 128) - Number(prefix["len"]));
  return start.value >> shift === asked.value >> shift;
}

function findMark(objects: readonly NftObject[], side: Side, address: string): number {
  const family = address.includes(":") ? 6 : 4;
  for (const kind of ["hosts", "blocks"])
    for (const element of elementsOf(objects, `${side}_${kind}${family}`)) {
      const [key, mark] = isList(element) ? element : [];
      if (key !== undefined && coversAddress(key, address)) return Number(mark);
    }
  return 0;
}

function coversPort(range: Json | undefined, port: number): boolean {
  if (!isRecord(range)) return Number(range) === port;
  const ends = range["range"];
  const [first, last] = isList(ends) ? ends.map(Number) : [];
  return first !== undefined && last !== undefined && first <= port && port <= last;
}

/** The parts of `2 . tcp . 80`. */
function partsOf(element: Json): readonly Json[] {
  const parts = isRecord(element) ? element["concat"] : undefined;
  return isList(parts) ? parts : [];
}

function isOpen(objects: readonly NftObject[], chain: string): boolean {
  const rules = objects.flatMap(({ rule }) => (rule?.["chain"] === chain ? [rule] : []));
  const [only] = rules;
  return rules.length === 1 && JSON.stringify(only?.["expr"]).startsWith('[{"goto":');
}

/** Addresses that were found by name, with what is left of their time. Of `{ elem: { val: address, timeout, expires } }`. */
export function listNamed(objects: readonly NftObject[]): readonly Pin[] {
  const all = ([4, 6] as const).flatMap((family) => elementsOf(objects, namedSet(family)));
  return all.flatMap((element) => {
    const whole = isRecord(element) ? element["elem"] : undefined;
    if (!isRecord(whole)) return [];
    return [{ address: String(whole["val"]), seconds: Math.max(1, Number(whole["expires"] ?? 1)) }];
  });
}

function isFoundByName(objects: readonly NftObject[], asked: string): boolean {
  return listNamed(objects).some(({ address }) => address === asked);
}

function allows(objects: readonly NftObject[], question: Question): boolean {
  const side = question.direction === "ingress" ? "in" : "out";
  if (isOpen(objects, `calls_${side}`)) return true;
  if (side === "out" && isFoundByName(objects, question.address)) return true;
  const mark = findMark(objects, side, question.address);
  if (mark === MARK_EVERYTHING) return true;
  const names: readonly string[] = PROTOCOL_NAMES[question.protocol];
  const name = question.address.includes(":") ? names.at(-1) : names[0];
  const matches = (element: Json): boolean => {
    const [own, protocol, port] = partsOf(element);
    const isSame = Number(own) === mark && protocol === name;
    return isSame && (port === undefined || coversPort(port, question.port));
  };
  return ["protocols", "ports", "ranges"].some((kind) =>
    elementsOf(objects, `${side}_${kind}`).some(matches),
  );
}

function countOf(objects: readonly NftObject[], name: string): number {
  const found = objects.find(({ counter }) => counter?.["name"] === name);
  return Number(found?.["counter"]?.["packets"] ?? 0);
}

/** `{ elem: { val: { concat: [address, protocol, port] }, expires, counter: { packets } } }` */
function readSights(objects: readonly NftObject[], side: Side): readonly Sight[] {
  const direction = side === "in" ? "ingress" : "egress";
  return listSightSets(side).flatMap(({ name, verdict }) =>
    elementsOf(objects, name).flatMap((element): Sight[] => {
      const whole = isRecord(element) ? element["elem"] : undefined;
      if (!isRecord(whole)) return [];
      const [address, protocol, port = 0] = partsOf(whole["val"] ?? "");
      const counter = whole["counter"];
      const packets = isRecord(counter) ? Number(counter["packets"]) : 0;
      const left = Number(whole["expires"] ?? SIGHTS_FOR_SECONDS);
      return [
        {
          direction,
          verdict,
          address: String(address),
          protocol: String(protocol),
          port: Number(port),
          packets,
          idleSeconds: Math.max(0, SIGHTS_FOR_SECONDS - left),
        },
      ];
    }),
  );
}

/** Whether both base chains stand and judge; undefined when any is missing. */
function readPolicy(objects: readonly NftObject[]): "drop" | "accept" | undefined {
  const policies = ["input", "output"].map((hook) => {
    const chain = objects.find((object) => object["chain"]?.["name"] === hook)?.["chain"];
    const isUsed = objects.some(({ rule }) => rule?.["chain"] === hook);
    return isUsed ? chain?.["policy"] : undefined;
  });
  if (policies.includes(undefined)) return undefined;
  return policies.every((policy) => policy === "drop") ? "drop" : "accept";
}

/** What a table comes to; undefined when it judges nothing. */
export function readRules(objects: readonly NftObject[]): Installed | undefined {
  const policy = readPolicy(objects);
  if (policy === undefined) return undefined;
  return {
    drops: policy === "drop",
    allows: (question) => allows(objects, question),
    denied: { ingress: countOf(objects, "in_denied"), egress: countOf(objects, "out_denied") },
    sights: [...readSights(objects, "in"), ...readSights(objects, "out")],
    lost: countOf(objects, "in_lost") + countOf(objects, "out_lost"),
  };
}

const PASSING = new Set(["handle", "packets", "bytes", "expires"]);

/** All that stands and does not change by itself, as one text: equal texts, equal rules. */
export function fingerprint(objects: readonly NftObject[]): string {
  const kept = objects.filter((object) => {
    const name = String((object["set"] ?? object["counter"])?.["name"] ?? "");
    return !isCount(name);
  });
  return JSON.stringify(kept, (key, value: unknown) => (PASSING.has(key) ? undefined : value));
}

/** What a table looks like; undefined when that cannot be known, so that it will be made anew. */
export function noteTable(
  netfilter: Netfilter,
  [family, name]: readonly [NftFamily, string],
  options?: NetfilterOptions,
): Promise<string | undefined> {
  return netfilter.read(family, name, options).then(
    (objects) => objects && fingerprint(objects),
    () => undefined,
  );
}
