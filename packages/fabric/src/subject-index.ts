// SPDX-License-Identifier: Apache-2.0
// Values by pattern of subjects, found by subject: a tree of words, so that what is found costs by the words of the subject and
// not by the number of patterns. Each node is visited at most once, whatever wildcards there are.

interface Branch<T> {
  readonly words: Map<string, Branch<T>>;
  any: Branch<T> | undefined;
  /** Of patterns that end here. */
  readonly here: Set<T>;
  /** Of patterns whose `>` stands here. */
  readonly rest: Set<T>;
}

function createBranch<T>(): Branch<T> {
  return { words: new Map(), any: undefined, here: new Set(), rest: new Set() };
}

function isBare<T>({ words, any, here, rest }: Branch<T>): boolean {
  return words.size === 0 && any === undefined && here.size === 0 && rest.size === 0;
}

/** Patterns, each with its values; finds those that match a subject. */
export class SubjectIndex<T> {
  readonly #root = createBranch<T>();

  /** Adds a value under a well-formed pattern; the same value under the same pattern is there once. */
  add(pattern: string, value: T): void {
    let branch = this.#root;
    for (const word of pattern.split(".")) {
      if (word === ">") {
        branch.rest.add(value);
        return;
      }
      branch = word === "*" ? (branch.any ??= createBranch()) : this.#grow(branch, word);
    }
    branch.here.add(value);
  }

  /** Takes a value away; nothing happens when it is not there. */
  delete(pattern: string, value: T): void {
    this.#cut(this.#root, pattern.split("."), 0, value);
  }

  /** Values of the patterns that match, each once. */
  match(subject: string): ReadonlySet<T> {
    const found = new Set<T>();
    this.#collect(this.#root, subject.split("."), 0, found);
    return found;
  }

  #grow(branch: Branch<T>, word: string): Branch<T> {
    let next = branch.words.get(word);
    if (next === undefined) branch.words.set(word, (next = createBranch()));
    return next;
  }

  #collect(branch: Branch<T>, words: readonly string[], index: number, found: Set<T>): void {
    const word = words[index];
    if (word === undefined) {
      for (const value of branch.here) found.add(value);
      return;
    }
    for (const value of branch.rest) found.add(value);
    const next = branch.words.get(word);
    if (next !== undefined) this.#collect(next, words, index + 1, found);
    if (branch.any !== undefined) this.#collect(branch.any, words, index + 1, found);
  }

  /** True when the branch is bare afterwards. */
  #cut(branch: Branch<T>, words: readonly string[], index: number, value: T): boolean {
    const word = words[index];
    if (word === undefined) branch.here.delete(value);
    else if (word === ">") branch.rest.delete(value);
    else {
      const next = word === "*" ? branch.any : branch.words.get(word);
      if (next !== undefined && this.#cut(next, words, index + 1, value)) {
        if (word === "*") branch.any = undefined;
        else branch.words.delete(word);
      }
    }
    return isBare(branch);
  }
}
