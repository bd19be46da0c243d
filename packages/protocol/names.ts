// SPDX-License-Identifier: Apache-2.0
// Without a schema library, so that a program that only asks this need not load one.

/** Form of the name of a service or an agent: a DNS label. */
export const AGENT_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Links in one report of an agent at most; those with most messages come first. */
export const REPORTED_LINKS_MAX = 256;

/** Tag of a command of people, which joins for a moment: it is no member of a topology and nobody's business. */
export const FACE_TAG = "face";
/** What follows the name in an id. */
const ID_END = /^[a-z0-9]{1,32}$/;

/** Whether a text is an agent's id, `NAME.SUFFIX`, and so can be nobody's name. */
export function isAgentId(text: string): boolean {
  return text.includes(".");
}

/** Whether an id is one that an agent of this name may have. */
export function isIdOf(id: string, name: string): boolean {
  return id.startsWith(`${name}.`) && ID_END.test(id.slice(name.length + 1));
}

/** How many patterns one agent may hear. */
export const SUBSCRIPTIONS_MAX = 1_000;
