// SPDX-License-Identifier: Apache-2.0
// May one talk to the other: what is declared, what stands in the kernel, and what became of a real packet.
import { formatAddress, parseAddress } from "#base/addresses.ts";
import { FairleadError } from "#base/errors.ts";
import { controlErrors } from "#control/errors.ts";
import { failLookup } from "#control/lookup.ts";
import type { Guard, Question } from "#guard/guard.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { CanAnswer, CanProof, CanRequest, NetworkPolicy, PolicyMode } from "#model/policy.ts";
import { explainConversation, type Party } from "#policy/explain.ts";
import type { PolicyInstance, PolicyWorld } from "#policy/world.ts";

/** Of services with many instances so many pairs are looked at. */
const PAIRS_MAX = 25;

export interface CanContext {
  readonly world: PolicyWorld;
  /** Who lives in the host's own network. */
  readonly onHost: readonly PolicyInstance[];
  readonly policies: readonly NetworkPolicy[];
  modeOf(scope: string): PolicyMode;
  /** The name by which an instance found an address. */
  findName(id: string, address: string): string | undefined;
  /** The instance on this host; undefined for one elsewhere. */
  find(id: string): InstanceFact | undefined;
  readonly guard: Guard;
}

interface Pair {
  readonly from: Party;
  readonly to: Party;
}

function isInstance(party: Party | undefined): party is PolicyInstance {
  return party !== undefined && "labels" in party;
}

/** Who is meant by `web`, `shop/web`, an instance's name or an address. */
function findParties(
  { world, onHost }: CanContext,
  name: string,
  scope: string | undefined,
): readonly Party[] {
  const address = parseAddress(name);
  if (address !== undefined) {
    const text = formatAddress(address.family, address.value);
    const own = world.instances.filter(({ addresses }) => addresses.includes(text));
    return own.length > 0 ? own : [{ address: text }];
  }
  const inScope = world.instances.filter((one) => scope === undefined || one.scope === scope);
  const services = (among: readonly PolicyInstance[]) =>
    among.filter((one) => one.service === name || `${one.scope}/${one.service}` === name);
  const named = world.instances.filter((one) => one.name === name);
  const hidden = [...services(onHost), ...onHost.filter((one) => one.name === name)];
  const found = [services(inScope), services(world.instances), named].find(
    (list) => list.length > 0,
  );
  if (found === undefined && hidden.some((one) => scope === undefined || one.scope === scope))
    throw new FairleadError(
      controlErrors["no-network-of-its-own"],
      `${name} lives in the host's own network`,
    );
  if (found === undefined)
    return failLookup(
      name,
      world.instances.flatMap((one) => [one.service, `${one.scope}/${one.service}`, one.name]),
    );
  const scopes = new Set(found.map((one) => one.scope));
  if (scopes.size > 1)
    throw new FairleadError(
      controlErrors["ambiguous-name"],
      `"${name}" is in ${scopes.size} scopes`,
      {
        facts: { scopes: [...scopes].join(", ") },
        remedy: "write SCOPE/NAME, or give --scope",
      },
    );
  return found;
}

function describe(parties: readonly Party[]): CanAnswer["from"] {
  const [first] = parties;
  return isInstance(first)
    ? { scope: first.scope, service: first.service, instances: parties.length }
    : { scope: "", service: first?.address ?? "", instances: 0 };
}

function listPairs(from: readonly Party[], to: readonly Party[]): readonly Pair[] {
  return from
    .flatMap((one) => to.map((other) => ({ from: one, to: other })))
    .filter((pair) => pair.from !== pair.to)
    .slice(0, PAIRS_MAX);
}

/** An address of the world outside with the name by which the caller found it. */
function addName({ findName }: CanContext, { from, to }: Pair): Pair {
  const name = isInstance(from) && !isInstance(to) ? findName(from.id, to.address) : undefined;
  return { from, to: name === undefined || isInstance(to) ? to : { ...to, name } };
}

function proveDeclared(
  { policies, world, modeOf }: CanContext,
  pairs: readonly Pair[],
  request: CanRequest,
): CanProof {
  const asked = { protocol: request.protocol, port: request.port ?? 0 };
  const all = pairs.map((pair) => explainConversation(policies, world, { ...pair, ...asked }));
  const worst = all.find(({ allowed }) => !allowed) ?? all[0];
  if (worst === undefined) return { verdict: "unknown", detail: "there is nobody else to talk to" };
  const denied = worst.steps.find(({ verdict }) => verdict === "deny");
  const steps = [...worst.steps];
  if (denied === undefined) {
    const isFree = steps.every(({ policy }) => policy === undefined);
    const off = pairs
      .flatMap(({ from, to }) => [from, to])
      .find((one) => isInstance(one) && modeOf(one.scope) === "off");
    const detail =
      isInstance(off) && isFree
        ? `policies of ${off.scope} are in mode off, and hold nobody`
        : isFree
          ? "no policy isolates either"
          : "";
    return { verdict: "allow", detail, steps };
  }
  const scope = denied.policy?.split("/")[0] ?? "";
  const isEnforced = modeOf(scope) === "enforce";
  return isEnforced
    ? { verdict: "deny", detail: "", steps }
    : { verdict: "allow", detail: `${scope} is in mode watch: it would be denied`, steps };
}

/** A question for each address of the other side that this side could use. */
function askOf(
  direction: Question["direction"],
  other: Party,
  { protocol, port = 0 }: CanRequest,
): readonly Question[] {
  const addresses = isInstance(other) ? other.addresses : [other.address];
  return addresses.map((address) => ({ direction, address, protocol, port }));
}

async function proveInstalled(
  { guard, find }: CanContext,
  pairs: readonly Pair[],
  request: CanRequest,
): Promise<CanProof> {
  const words: string[] = [];
  let isPartial = false;
  for (const { from, to } of pairs) {
    const sides = [
      { self: from, questions: askOf("egress", to, request) },
      { self: to, questions: askOf("ingress", from, request) },
    ];
    for (const { self, questions } of sides) {
      if (!isInstance(self)) continue;
      const fact = find(self.id);
      if (fact?.pid === undefined) {
        isPartial = true;
        continue;
      }
      const installed = await guard.inspect({ id: fact.id, pid: fact.pid });
      const denying = questions.find((one) => installed?.allows(one) === false);
      if (installed === undefined || denying === undefined) continue;
      const where = `inet fairlead in ${fact.name}, ${denying.direction} of ${denying.address}`;
      if (installed.drops) return { verdict: "deny", detail: where };
      words.push(`${where}: counted and let pass`);
    }
  }
  if (isPartial) return { verdict: "unknown", detail: "one of them is on another host" };
  return { verdict: "allow", detail: words[0] ?? "nothing in the kernel drops it" };
}

/** An address of the called one on a network that both have. */
function findMeeting(
  from: InstanceFact,
  to: InstanceFact | undefined,
  party: Party,
): string | undefined {
  if (!isInstance(party)) return party.address;
  const shared = Object.keys(from.endpoints ?? {}).find(
    (name) => to?.endpoints?.[name] !== undefined,
  );
  return shared === undefined ? undefined : to?.endpoints?.[shared]?.addresses[0];
}

async function proveByPacket(
  { guard, find }: CanContext,
  pairs: readonly Pair[],
  request: CanRequest,
): Promise<CanProof> {
  if (!request.probe) return { verdict: "unknown", detail: "not asked for" };
  const [pair] = pairs;
  const from = isInstance(pair?.from) ? find(pair.from.id) : undefined;
  if (pair === undefined || from?.pid === undefined)
    return { verdict: "unknown", detail: "nothing can be sent from another host" };
  const to = isInstance(pair.to) ? find(pair.to.id) : undefined;
  const address = findMeeting(from, to, pair.to);
  if (address === undefined) return { verdict: "unknown", detail: "they share no network" };
  const target = to?.pid === undefined ? undefined : { id: to.id, pid: to.pid };
  const { protocol, port = 0 } = request;
  const outcome = await guard.probe(
    { id: from.id, pid: from.pid },
    { address, protocol, port },
    target,
  );
  const what = `${protocol.toLowerCase()} to ${address}${port === 0 ? "" : ` port ${port}`} from ${from.name}`;
  return { verdict: outcome.verdict, detail: `${what}: ${outcome.detail}` };
}

function conclude(proofs: readonly CanProof[]): CanAnswer["answer"] {
  const known = new Set(proofs.map(({ verdict }) => verdict).filter((one) => one !== "unknown"));
  if (known.size > 1) return "disagree";
  if (known.has("deny")) return "no";
  return known.has("allow") ? "yes" : "unknown";
}

/** Answers with three proofs. Throws FL0701 `no-such-object`, FL0702 `ambiguous-name`, FL0764. */
export async function answerCan(context: CanContext, request: CanRequest): Promise<CanAnswer> {
  const from = findParties(context, request.from, request.scope);
  const to = findParties(context, request.to, request.scope);
  const pairs = listPairs(from, to).map((pair) => addName(context, pair));
  const declared = proveDeclared(context, pairs, request);
  const installed = await proveInstalled(context, pairs, request);
  const probed = await proveByPacket(context, pairs, request);
  return {
    from: describe(from),
    to: describe(to),
    protocol: request.protocol,
    ...(request.port === undefined ? {} : { port: request.port }),
    answer: conclude([declared, installed, probed]),
    declared,
    installed,
    probed,
  };
}
