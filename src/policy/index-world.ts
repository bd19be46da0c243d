// SPDX-License-Identifier: Apache-2.0
// Which instances a selector means, without asking each of them, turn after turn. What is as it was in the turn before is the
// same object as then, so that who builds on it sees at once that nothing is to be done.
import type { PolicySelector } from "#model/policy.ts";
import { matchLabels } from "./select.ts";
import { labelsOfScope, type PolicyInstance, type PolicyWorld } from "./world.ts";

/** What a table depends on of an instance that others talk to. */
export type Peer = Pick<PolicyInstance, "addresses" | "ports">;

/** Finds instances by selector, in the world of one turn. */
export interface Index {
  /** Those of one scope that a policy selects. */
  select(scope: string, selector: PolicySelector): readonly PolicyInstance[];
  /** The same as peers. */
  listPeers(scope: string, selector: PolicySelector): readonly Peer[];
  /** Those of all scopes whose labels match, as peers. */
  listPeersAcross(scopes: PolicySelector, selector: PolicySelector): readonly Peer[];
}

/** Makes the index of each turn. Instances that have not changed have to be the same objects as before. */
export interface Indexer {
  /** The index of the turn before is not to be used any more. */
  turn(world: PolicyWorld): Index;
}

interface Answer {
  readonly instances: readonly PolicyInstance[];
  readonly peers: readonly Peer[];
}

/** One scope in one turn. Answers are by the text of the selector. */
interface Section {
  readonly members: readonly PolicyInstance[];
  readonly labels: Readonly<Record<string, string>>;
  /** Whether its members are those of the turn before. */
  readonly isSame: boolean;
  /** By key and value of a label. Filled when somebody is first looked for. */
  postings: ReadonlyMap<string, readonly PolicyInstance[]> | undefined;
  readonly answers: Map<string, Answer>;
  readonly before: ReadonlyMap<string, Answer>;
}

interface WideAnswer {
  readonly parts: readonly (readonly Peer[])[];
  readonly peers: readonly Peer[];
}

const NOBODY: Answer = { instances: [], peers: [] };

/** Selectors as texts; equal ones are equal. */
const texts = new WeakMap<PolicySelector, string>();

function textOf(selector: PolicySelector): string {
  const known = texts.get(selector);
  if (known !== undefined) return known;
  const text = JSON.stringify(selector);
  texts.set(selector, text);
  return text;
}

/** Whether two lists have the same items, which are objects or texts. */
export function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a === b || (a.length === b.length && a.every((one, i) => one === b[i]));
}

/** The list of before, if it is the same. */
export function keepList<T>(before: readonly T[] | undefined, now: readonly T[]): readonly T[] {
  return before !== undefined && isSameList(before, now) ? before : now;
}

function post(members: readonly PolicyInstance[]): Map<string, PolicyInstance[]> {
  const postings = new Map<string, PolicyInstance[]>();
  for (const instance of members)
    for (const [key, value] of Object.entries(instance.labels)) {
      const pair = `${key}=${value}`;
      const list = postings.get(pair);
      if (list === undefined) postings.set(pair, [instance]);
      else list.push(instance);
    }
  return postings;
}

/** The fewest among which all that match are. */
function listCandidates(section: Section, { labels }: PolicySelector): readonly PolicyInstance[] {
  let least = section.members;
  for (const [key, value] of Object.entries(labels)) {
    section.postings ??= post(section.members);
    const list = section.postings.get(`${key}=${value}`) ?? NOBODY.instances;
    if (list.length < least.length) least = list;
  }
  return least;
}

/** Ports as a text; instances do not change. */
const portTexts = new WeakMap<Peer, string>();

/** What an instance calls its ports; equal texts are the same names for the same ports. */
export function textOfPorts(peer: Peer): string {
  const known = portTexts.get(peer);
  if (known !== undefined) return known;
  const text = JSON.stringify(peer.ports);
  portTexts.set(peer, text);
  return text;
}

function isSamePeer(a: Peer, b: Peer): boolean {
  return a === b || (isSameList(a.addresses, b.addresses) && textOfPorts(a) === textOfPorts(b));
}

/** An indexer that has seen no world yet. */
export function createIndexer(): Indexer {
  let sections = new Map<string, Section>();
  let wideBefore = new Map<string, WideAnswer>();
  /** By id: who has other labels and is otherwise as he was stays the same peer. */
  let peersBefore = new Map<string, Peer>();

  /** Peers of this turn. */
  function meet({ instances }: PolicyWorld): ReadonlyMap<PolicyInstance, Peer> {
    const next: typeof peersBefore = new Map();
    const peers = new Map<PolicyInstance, Peer>();
    for (const instance of instances) {
      const before = peersBefore.get(instance.id);
      const peer = before !== undefined && isSamePeer(before, instance) ? before : instance;
      peers.set(instance, peer);
      next.set(instance.id, peer);
    }
    peersBefore = next;
    return peers;
  }

  function divide(world: PolicyWorld): Map<string, Section> {
    const next: typeof sections = new Map();
    for (const [scope, members] of Map.groupBy(world.instances, (one) => one.scope)) {
      const before = sections.get(scope);
      const isSame = before !== undefined && isSameList(before.members, members);
      next.set(scope, {
        members,
        labels: labelsOfScope(world, scope),
        isSame,
        postings: isSame ? before.postings : undefined,
        answers: new Map(),
        before: before?.answers ?? new Map(),
      });
    }
    return next;
  }

  return {
    turn(world) {
      const peers = meet(world);
      const now = (sections = divide(world));
      const last = wideBefore;
      const wide = (wideBefore = new Map<string, WideAnswer>());
      const matching = new Map<string, readonly Section[]>();

      function find(section: Section, selector: PolicySelector, before?: Answer): Answer {
        const instances = listCandidates(section, selector).filter(({ labels }) =>
          matchLabels(selector, labels),
        );
        const found = instances.map((instance) => peers.get(instance) ?? instance);
        return { instances, peers: keepList(before?.peers, found) };
      }

      function ask(section: Section, selector: PolicySelector): Answer {
        const key = textOf(selector);
        const known = section.answers.get(key);
        if (known !== undefined) return known;
        const before = section.before.get(key);
        const isGood = before !== undefined && section.isSame;
        const answer = isGood ? before : find(section, selector, before);
        section.answers.set(key, answer);
        return answer;
      }

      function askIn(scope: string, selector: PolicySelector): Answer {
        const section = now.get(scope);
        return section === undefined ? NOBODY : ask(section, selector);
      }

      function listSections(scopes: PolicySelector): readonly Section[] {
        const key = textOf(scopes);
        const known = matching.get(key);
        if (known !== undefined) return known;
        const found = [...now.values()].filter(({ labels }) => matchLabels(scopes, labels));
        matching.set(key, found);
        return found;
      }

      return {
        select: (scope, selector) => askIn(scope, selector).instances,
        listPeers: (scope, selector) => askIn(scope, selector).peers,
        listPeersAcross(scopes, selector) {
          const key = `${textOf(scopes)} ${textOf(selector)}`;
          const known = wide.get(key);
          if (known !== undefined) return known.peers;
          const parts = listSections(scopes).map((section) => ask(section, selector).peers);
          const before = last.get(key);
          const isGood = before !== undefined && isSameList(before.parts, parts);
          const answer = isGood ? before : { parts, peers: parts.flat() };
          wide.set(key, answer);
          return answer.peers;
        },
      };
    },
  };
}
