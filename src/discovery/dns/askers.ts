// SPDX-License-Identifier: Apache-2.0
// Who may ask for which names of the world outside, and what has to be done before the answer is given.

/** An address of an answer; with how long it is good, s. */
export interface AnsweredAddress {
  readonly address: string;
  readonly ttlSeconds: number;
}

/** Judges those who ask. What is not judged may ask for everything. */
export interface AskerJudge {
  /** `free`: as everybody. `named`: `admit` has to agree with the answer. `refused`: the name is asked for nobody. */
  judge(source: string, name: string): "free" | "named" | "refused";
  /** Before an answer is given: whether it may be. Never rejects. */
  admit(source: string, name: string, addresses: readonly AnsweredAddress[]): Promise<boolean>;
}

/** A judge that another is put into once it is there; until then everybody is free. */
export interface AskerDoor extends AskerJudge {
  open(judge: AskerJudge): void;
}

/** Makes the door. */
export function createAskerDoor(): AskerDoor {
  let judge: AskerJudge | undefined;
  return {
    open: (one) => (judge = one),
    judge: (source, name) => judge?.judge(source, name) ?? "free",
    admit: async (source, name, addresses) => (await judge?.admit(source, name, addresses)) ?? true,
  };
}
