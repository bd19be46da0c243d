// SPDX-License-Identifier: Apache-2.0
// Who hears which subjects, kept as agents come, change and go.
import type { Registry } from "@fairlead/fabric/registry.ts";
import { SubjectIndex } from "@fairlead/fabric/subject-index.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";

/** One agent, as a member of one group; the group is empty for those who get everything. */
export interface Hearer {
  readonly agent: string;
  readonly group: string;
}

interface Known {
  /** What it hears, to see whether that has changed. */
  readonly text: string;
  readonly heard: readonly { readonly pattern: string; readonly hearer: Hearer }[];
}

/** The agents of a scope that hear messages that are sent directly. */
export class Hearers {
  readonly #scope: string;
  readonly #onChange: () => void;
  readonly #index = new SubjectIndex<Hearer>();
  readonly #known = new Map<string, Known>();
  readonly #stop: () => void;

  /** Follows the directory until closed; `onChange` is told when somebody hears something else than before. */
  constructor(scope: string, directory: Registry, onChange: () => void) {
    this.#scope = scope;
    this.#onChange = onChange;
    for (const record of directory.list({ scope })) this.#put(record);
    this.#stop = directory.watch((change) => {
      if (change.type === "gone") this.#remove(change.agent.id);
      else this.#put(change.agent);
    });
  }

  close(): void {
    this.#stop();
  }

  /** Those who hear the subject; each once in each of its groups. */
  match(subject: string): ReadonlySet<Hearer> {
    return this.#index.match(subject);
  }

  #put({ id, scope, subscriptions }: AgentRecord): void {
    if (scope !== this.#scope) return;
    const direct = subscriptions.filter(({ durable }) => !durable);
    const text = JSON.stringify(direct);
    if ((this.#known.get(id)?.text ?? "[]") === text) return;
    this.#forget(id);
    const groups = new Map<string, Hearer>();
    const heard = direct.map(({ pattern, group = "" }) => {
      const hearer = groups.get(group) ?? { agent: id, group };
      groups.set(group, hearer);
      this.#index.add(pattern, hearer);
      return { pattern, hearer };
    });
    if (heard.length > 0) this.#known.set(id, { text, heard });
    this.#onChange();
  }

  #remove(id: string): void {
    if (!this.#known.has(id)) return;
    this.#forget(id);
    this.#onChange();
  }

  #forget(id: string): void {
    for (const { pattern, hearer } of this.#known.get(id)?.heard ?? [])
      this.#index.delete(pattern, hearer);
    this.#known.delete(id);
  }
}
