// SPDX-License-Identifier: Apache-2.0
// The fairlead.* labels: the contract between a Compose file and Fairlead at run time.
import { parsePolicy } from "@fairlead/routing/parse-policy.ts";
import { STRATEGIES } from "@fairlead/routing/policy.ts";
import { parseDuration } from "#base/duration.ts";
import { DOCKER_FORM, readDockerLimits } from "#model/docker-limits.ts";
import { parseEgressName, splitEgressNames } from "#model/egress-names.ts";
import { IDENTITY_FORM, readIdentityWord } from "#model/identity-word.ts";
import type { AddressIntent } from "#model/intent.ts";
import { PLACE_FORM, readPlace } from "./place-word.ts";

/** One label: what it means, what its value may be. */
export interface LabelWord {
  readonly doc: string;
  /** The form of the value, in words and with an example. */
  readonly form: string;
  readonly check: (value: string) => boolean;
  /** It keeps somebody out, who would come in if a bad value had no effect: such a value is refused. */
  readonly guards?: boolean;
  /** What is wrong with a value that is not right, where more is known than its form. */
  readonly problem?: (value: string) => string;
  /** False for what only makes sense for one service, and so not in a top-level x-fairlead. */
  readonly common: boolean;
  /** Why a good value has no effect, or not its whole one, in this version; undefined when it has. */
  readonly idle?: (value: string) => string | undefined;
}

/** What `fairlead.heal` says. */
export interface HealWord {
  readonly ladder: "restart" | "replace" | "alert" | "off";
  readonly actsMax?: number;
  readonly windowMs?: number;
}

const SERVICE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$/;
const SCOPE_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const PORT = /^(\d{1,5})(?:\/(http|grpc|tcp|udp|mcp|a2a))?$/;
const ADDRESS_PARTS = ["on", "true", "off", "false", "local", "sticky", "ipv6"];
const SETTING = /^[a-z][a-z0-9._-]*=[^\s=]+$/i;

/** A duration in milliseconds, undefined when it is none. */
export function readDuration(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}

function split(value: string, separator: RegExp): string[] {
  return value
    .trim()
    .split(separator)
    .filter((part) => part !== "");
}

/** `restart max=3/10m`; undefined when it is not of that form. */
export function readHeal(value: string): HealWord | undefined {
  const [ladder, limit, ...rest] = split(value, /\s+/);
  if (rest.length > 0) return undefined;
  if (ladder !== "restart" && ladder !== "replace" && ladder !== "alert" && ladder !== "off")
    return undefined;
  if (limit === undefined) return { ladder };
  const [, acts = "", window = ""] = /^max=([1-9]\d{0,5})\/(\S+)$/.exec(limit) ?? [];
  const windowMs = readDuration(window);
  if (acts === "" || windowMs === undefined || windowMs < 1_000) return undefined;
  return { ladder, actsMax: Number(acts), windowMs };
}

/** What `fairlead.address` says; `false` for off, undefined when it is not of its form. */
export function readAddressWord(value: string): AddressIntent | false | undefined {
  const parts = split(value, /[\s,]+/);
  if (parts.length === 0 || !parts.every((part) => ADDRESS_PARTS.includes(part))) return undefined;
  const isOff = parts.includes("off") || parts.includes("false");
  if (isOff) return parts.length === 1 ? false : undefined;
  const [local, sticky, ipv6] = ["local", "sticky", "ipv6"].map((part) => parts.includes(part));
  return { local: local === true, sticky: sticky === true, ipv6: ipv6 === true };
}

function isFlag(value: string): boolean {
  return value === "true" || value === "false";
}

function isPort(value: string): boolean {
  const port = Number(PORT.exec(value)?.[1] ?? 0);
  return port >= 1 && port <= 65_535;
}

function isList(value: string, check: (part: string) => boolean): boolean {
  const parts = split(value, /\s*,\s*|\s+/);
  return parts.length > 0 && parts.every(check);
}

function isPeer(value: string): boolean {
  const [first = "", second, ...rest] = value.split("/");
  if (rest.length > 0) return false;
  if (second === undefined) return first === "*" || SERVICE_NAME.test(first);
  return SCOPE_NAME.test(first) && (second === "*" || SERVICE_NAME.test(second));
}

function isScale(value: string): boolean {
  const [range = "", ...settings] = split(value, /\s+/);
  const [, least = "", most = least] = /^(\d{1,5})(?:\.\.(\d{1,5}))?$/.exec(range) ?? [];
  if (least === "" || Number(most) < Number(least) || Number(most) > 10_000) return false;
  return settings.every((setting) => SETTING.test(setting));
}

function isCapture(value: string): boolean {
  const parts = split(value, /\s+/);
  const good = (part: string): boolean => SETTING.test(part) || readDuration(part) !== undefined;
  return parts.length > 0 && parts.every(good);
}

function isTtl(value: string): boolean {
  return (readDuration(value) ?? 0) > 0;
}

const peers = "names of services, separated by commas; another scope's as scope/service";

/** What is wrong with a list of peers. */
function findNoPeer(value: string): string {
  const bad = split(value, /\s*,\s*|\s+/).find((part) => !isPeer(part));
  return bad === undefined
    ? "it names nobody; to allow nobody at all declare a NetworkPolicy with an empty list, `ingress: []` or `egress: []`"
    : `${bad} is no name of a service`;
}

function notYet(what: string): (value: string) => string {
  return () => what;
}

/** Every label, without the prefix `fairlead.`. */
export const FAIRLEAD_WORDS: Readonly<Record<string, LabelWord>> = {
  manage: {
    doc: "Whether Fairlead acts on it; else it is only observed.",
    form: "true or false",
    check: isFlag,
    common: true,
    idle: (v) =>
      v === "false"
        ? "what a file of `fairlead up` says is managed; fairlead.heal: off stops the healing"
        : undefined,
  },
  name: {
    doc: "Name that others call it by in DNS; default the service's.",
    form: "a name of letters, digits, . _ -",
    check: (v) => SERVICE_NAME.test(v),
    common: false,
  },
  kind: {
    doc: "Whether it thinks.",
    form: "service or agent",
    check: (v) => v === "service" || v === "agent",
    common: true,
  },
  port: {
    doc: "The port that others call, and what is spoken there: SRV records in DNS.",
    form: "PORT[/PROTOCOL] with http, grpc, tcp, udp, mcp or a2a, for example 8080/http",
    check: (v) => isList(v, isPort),
    common: false,
  },
  scope: {
    doc: "The scope it belongs to; default the Compose project.",
    form: "a name of lower-case letters, digits, - _",
    check: (v) => SCOPE_NAME.test(v),
    common: true,
    idle: notYet("the scope of a file is its project; use `name` or --project-name"),
  },
  scale: {
    doc: "How many instances, and what the number follows.",
    form: "LEAST..MOST [NAME=VALUE …], for example 1..8 queue=orders oldest=30s",
    check: isScale,
    common: true,
    idle: (v) =>
      /^\s*\d+\s*$/.test(v) ? undefined : "this version keeps the least number; it does not scale",
  },
  heal: {
    doc: "What is done when an instance fails, and how often in which time.",
    form: "restart, replace, alert or off, and max=ACTS/TIME, for example restart max=3/10m",
    check: (v) => readHeal(v) !== undefined,
    common: true,
  },
  route: {
    doc: "How callers choose among its instances, and what is done about those that fail or are slow.",
    form: `${STRATEGIES.join(", ").replace("hash", "hash:HEADER")}, and options, for example ewma eject=5 hedge=p95`,
    check: (v) => parsePolicy(v).ok,
    problem: (v) => {
      const parsed = parsePolicy(v);
      return parsed.ok ? "" : parsed.problem;
    },
    common: true,
  },
  address: {
    doc: "Whether it has one address that stays, behind which the kernel balances; local: instances of the caller's host first; sticky: a caller keeps its instance.",
    form: "on or off, and with on any of local, sticky, ipv6, for example on local",
    check: (v) => readAddressWord(v) !== undefined,
    common: true,
  },
  place: {
    doc: "How its instances are placed where there are several nodes; `near` is a wish, `apart` holds for both.",
    form: PLACE_FORM,
    check: (v) => readPlace(v) !== undefined,
    common: false,
  },
  "allow.from": {
    doc: "Who may call it; turns on default-deny for it.",
    form: peers,
    check: (v) => isList(v, isPeer),
    problem: findNoPeer,
    guards: true,
    common: true,
  },
  "allow.to": {
    doc: "Whom it may call; turns on default-deny for what it sends.",
    form: peers,
    check: (v) => isList(v, isPeer),
    problem: findNoPeer,
    guards: true,
    common: true,
  },
  egress: {
    doc: "Names of the world outside that it may call; turns on default-deny for what it sends.",
    form: "names, for example api.example.com, *.pypi.org or intra.example.com=10.0.0.0/8",
    check: (v) => splitEgressNames(v).every((name) => parseEgressName(name) !== undefined),
    guards: true,
    common: true,
  },
  capture: {
    doc: "When packets are kept, and for how long.",
    form: "NAME=VALUE and a duration, for example on=alert 30s",
    check: isCapture,
    common: true,
    idle: notYet("this version keeps no packets"),
  },
  expose: {
    doc: "Whether, and on which port, it is reachable from outside of its scope.",
    form: "true, false or PORT[/PROTOCOL]",
    check: (v) => isFlag(v) || isList(v, isPort),
    common: false,
    idle: notYet("this version opens and closes nothing; published ports are in `ports`"),
  },
  ignore: {
    doc: "Fairlead does not even look at it.",
    form: "true or false",
    check: isFlag,
    common: true,
    idle: (v) =>
      v === "true"
        ? "what a file of `fairlead up` says is managed; leave the service out of it"
        : undefined,
  },
  ttl: {
    doc: "How old an instance may become before it is replaced or reaped.",
    form: "a duration, for example 2h",
    check: isTtl,
    common: true,
  },
  failover: {
    doc: "When its instances run elsewhere: once their node is gone, when it is suspected, or never.",
    form: "move, eager or stay",
    check: (v) => v === "move" || v === "eager" || v === "stay",
    common: true,
  },
  singleton: {
    doc: "Whether of each instance never two run on a fleet: it waits until the lost one has surely stopped.",
    form: "true or false",
    check: isFlag,
    common: false,
  },
  docker: {
    doc: "A Docker API on a socket of its own, bounded; see docs/security.md.",
    form: DOCKER_FORM,
    check: (v) => readDockerLimits(v) !== undefined,
    common: false,
  },
  identity: {
    doc: "Gives its containers certificates that say who they are, by the node's socket or also in files; see docs/security.md.",
    form: IDENTITY_FORM,
    check: (v) => readIdentityWord(v) !== undefined,
    common: true,
  },
  owner: {
    doc: "The container or service that it lives for; it is reaped when that is gone.",
    form: "a name of letters, digits, . _ -",
    check: (v) => SERVICE_NAME.test(v),
    common: false,
  },
};

/** Every label of the contract begins so. */
export const LABEL_PREFIX = "fairlead.";

/** The word of a label `fairlead.x`; undefined for a label of someone else. */
export function wordOf(label: string): string | undefined {
  return label.startsWith(LABEL_PREFIX) ? label.slice(LABEL_PREFIX.length) : undefined;
}
