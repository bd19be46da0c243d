// SPDX-License-Identifier: Apache-2.0
// What `explain` knows, all of it on this machine.
import type { ServiceState } from "@fairlead/protocol/views.ts";
import { readErrorTable } from "./error-table.ts";
import { EXIT } from "./exit-codes.ts";

/** One thing that can be explained. */
export interface Topic {
  readonly topic: string;
  readonly also: readonly string[];
  readonly kind: "error" | "setting" | "label" | "state" | "exit status" | "word";
  readonly text: string;
  readonly facts: Readonly<Record<string, string>>;
}

const STATES: Readonly<Record<ServiceState, string>> = {
  ok: "all wanted instances run, are healthy, and have the configuration of the file",
  starting: "instances are being made or have not passed their first health check",
  updating: "instances are being changed to what the file says now",
  waiting: "something else has to come first: a dependency, a network, an image",
  degraded: "an instance will not come by itself; `fairlead why` says what is in the way",
  healing: "an instance failed and the ladder is at work, or waits before its next act",
  quarantined:
    "healing used up its budget and stopped, so as not to make it worse; `fairlead restart` tries again",
  stopped: "no instance is wanted, or its restart policy says that it stays as it is",
  completed: "all instances ended with 0, as the file wants",
  paused: "automation is paused; `fairlead resume` starts it again",
  removing: "`fairlead down` is under way",
  unknown: "the engine does not answer, so nothing certain can be said",
};

const EXITS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "done; or the answer is yes, same, healthy",
  no: "worked, and the answer is no: differences, a check failed, unhealthy",
  usage: "the command line or a file is not right; nothing was done",
  unknown: "could not tell: the node or the engine does not answer",
  refused: "refused: permission, protected object, plan out of date",
  timeout: "the time to wait ran out",
  interrupted: "interrupted (Ctrl-C)",
  terminated: "ended by SIGTERM",
};

const WORDS: Readonly<Record<string, string>> = {
  node: "one Fairlead process on one Docker host",
  service: "a name that others call; has instances",
  instance: "one container behind a service",
  decision:
    "one automatic or human act: trigger, inputs, rule, act, outcome; `fairlead why DECISION`",
  scope: "a group with its own names; by default the Compose project",
  observe: "Fairlead only looks and tells; the mode of scopes that it did not start",
  manage: "Fairlead keeps the scope as its owner wants it",
};

function listErrors(): Topic[] {
  return readErrorTable().map(({ cause, code, id, remedy, room, slug }) => ({
    topic: id,
    also: [slug],
    kind: "error",
    text: slug,
    facts: { because: cause, do: remedy, code, room },
  }));
}

function listWords(): Topic[] {
  const states = Object.entries(STATES).map(([topic, text]): Topic => ({
    topic,
    also: [],
    kind: "state",
    text,
    facts: {},
  }));
  const exits = Object.entries(EXITS).map(([name, text]): Topic => {
    const code = String(new Map(Object.entries(EXIT)).get(name));
    return { topic: code, also: [`exit ${code}`], kind: "exit status", text, facts: {} };
  });
  const words = Object.entries(WORDS).map(([topic, text]): Topic => ({
    topic,
    also: [],
    kind: "word",
    text,
    facts: {},
  }));
  return [...states, ...exits, ...words];
}

async function listSettings(): Promise<Topic[]> {
  const [{ SETTING_NOTES }, { nameVariable }] = await Promise.all([
    import("#config/setting-notes.ts"),
    import("#config/setting-paths.ts"),
  ]);
  return Object.entries(SETTING_NOTES).map(([path, notes]) => ({
    topic: path,
    also: [nameVariable(path)],
    kind: "setting",
    text: notes.effect,
    facts: {
      cost: notes.cost,
      variable: nameVariable(path),
      ...(notes.otherwise === undefined ? {} : { default: notes.otherwise }),
    },
  }));
}

/** Topics that need no library: errors, states, exit statuses, words. */
export function listQuickTopics(): readonly Topic[] {
  return [...listErrors(), ...listWords()];
}

async function listLabels(): Promise<Topic[]> {
  const { FAIRLEAD_WORDS, LABEL_PREFIX } = await import("#compose/fairlead-words.ts");
  return Object.entries(FAIRLEAD_WORDS).map(([word, { common, doc, form }]) => ({
    topic: `${LABEL_PREFIX}${word}`,
    also: [`x-fairlead.${word}`],
    kind: "label",
    text: doc,
    facts: {
      takes: form,
      "in x-fairlead": common ? "of a service or of the whole file" : "of a service",
    },
  }));
}

/** Topics of the rooms that bring libraries with them: labels and settings. */
export async function listSlowTopics(): Promise<readonly Topic[]> {
  return [...(await listLabels()), ...(await listSettings())];
}
