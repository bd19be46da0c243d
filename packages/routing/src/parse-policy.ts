// SPDX-License-Identifier: Apache-2.0
// The one form in which routing is written, in labels, settings and contracts: `ewma retry=20% hedge=p95 eject=5`.
import { findNearest } from "./nearest.ts";
import {
  POLICY_DEFAULT,
  POLICY_OPTIONS,
  STRATEGIES,
  type OptionForm,
  type Policy,
  type PolicyOption,
  type StrategyName,
} from "./policy.ts";

/** A policy, or one sentence that says what is wrong and what may have been meant. */
export type ParsedPolicy =
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly problem: string };

const TEXT_MAX = 255;
const HEADER = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

const FORMS: Readonly<Record<OptionForm, { readonly pattern: RegExp; readonly say: string }>> = {
  share: { pattern: /^(\d{1,5}(?:\.\d{1,3})?)%$/, say: "a share like 20%" },
  count: { pattern: /^(\d{1,7})$/, say: "a whole number like 5" },
  quantile: { pattern: /^p(\d{2}(?:\.\d)?)$/, say: "a quantile like p95" },
  duration: { pattern: /^(\d{1,8}(?:\.\d{1,3})?)(ms|s|m|h)$/, say: "a duration like 10s" },
};

function refuse(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}

/** ` Did you mean "…"?`, or the words there are. */
function suggest(word: string, words: readonly string[]): string {
  const nearest = findNearest(word, words);
  return nearest === undefined ? `; there are ${words.join(", ")}` : `; did you mean "${nearest}"?`;
}

/** The value in the unit of Policy; undefined when the text has another form. */
function readValue(form: OptionForm, text: string): number | undefined {
  const match = FORMS[form].pattern.exec(text);
  if (match === null) return undefined;
  const number = Number(match[1]);
  if (form === "share" || form === "quantile") return number / 100;
  return form === "count" ? number : number * (UNIT_MS[match[2] ?? ""] ?? 1);
}

function writeValue(option: PolicyOption, value: number): string {
  if (option.off === value) return "off";
  if (option.form === "share") return `${Number((value * 100).toFixed(3))}%`;
  if (option.form === "quantile") return `p${Number((value * 100).toFixed(1))}`;
  if (option.form === "count") return String(value);
  const unit = ["h", "m", "s"].find((one) => value !== 0 && value % (UNIT_MS[one] ?? 1) === 0);
  return unit === undefined ? `${value}ms` : `${value / (UNIT_MS[unit] ?? 1)}${unit}`;
}

function readOption(word: string): { readonly change: Partial<Policy> } | { problem: string } {
  const equals = word.indexOf("=");
  const [name, text] = [word.slice(0, equals), word.slice(equals + 1)];
  const option = POLICY_OPTIONS.get(name);
  if (option === undefined) {
    const words = [...POLICY_OPTIONS.keys()];
    return { problem: `"${name}" is no option of routing${suggest(name, words)}` };
  }
  if (text === "off" && option.off !== undefined) return { change: { [option.key]: option.off } };
  const value = readValue(option.form, text);
  const off = option.off === undefined ? "" : ` or "off"`;
  if (value === undefined)
    return { problem: `${name}="${text}" has to be ${FORMS[option.form].say}${off}` };
  if (value < option.least || value > option.most) {
    const bounds = [option.least, option.most].map((bound) =>
      writeValue({ ...option, off: NaN }, bound),
    );
    return { problem: `${name}=${text} is not between ${bounds[0]} and ${bounds[1]}` };
  }
  return { change: { [option.key]: value } };
}

function isStrategy(word: string): word is StrategyName {
  return STRATEGIES.some((name) => name === word);
}

function readStrategy(word: string): Pick<Policy, "strategy" | "hashHeader"> | { problem: string } {
  const colon = word.indexOf(":");
  const name = colon < 0 ? word : word.slice(0, colon);
  const header = colon < 0 ? "" : word.slice(colon + 1).toLowerCase();
  if (!isStrategy(name)) {
    const words = STRATEGIES.map((one) => (one === "hash" ? "hash:HEADER" : one));
    return { problem: `"${name}" is no way of routing${suggest(name, words)}` };
  }
  if (name === "hash" && !HEADER.test(header))
    return { problem: `hash needs the name of a header, as in hash:user-id` };
  if (name !== "hash" && colon >= 0)
    return { problem: `"${name}" takes no header; write "${name}"` };
  return { strategy: name, hashHeader: header };
}

/**
 * Reads a policy. The strategy comes first and may be left out; options follow in any order, each once. What is not said is
 * as in `base`.
 */
export function parsePolicy(text: string, base: Policy = POLICY_DEFAULT): ParsedPolicy {
  if (text.length > TEXT_MAX) return refuse(`it has more than ${TEXT_MAX} characters`);
  const words = text
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0) return refuse(`it is empty; write for example "ewma"`);
  let policy = base;
  const seen = new Set<string>();
  for (const [place, word] of words.entries()) {
    if (!word.includes("=")) {
      if (place > 0) return refuse(`"${word}" stands where an option like retry=20% is expected`);
      const read = readStrategy(word);
      if ("problem" in read) return refuse(read.problem);
      policy = { ...policy, ...read };
      continue;
    }
    const name = word.slice(0, word.indexOf("="));
    if (seen.has(name)) return refuse(`"${name}" is said twice`);
    seen.add(name);
    const read = readOption(word);
    if ("problem" in read) return refuse(read.problem);
    policy = { ...policy, ...read.change };
  }
  return { ok: true, policy };
}

/** The text that `parsePolicy` reads back: the strategy, and what differs from the default. */
export function writePolicy(policy: Policy): string {
  const strategy = policy.strategy === "hash" ? `hash:${policy.hashHeader}` : policy.strategy;
  const options = [...POLICY_OPTIONS].flatMap(([name, option]) =>
    policy[option.key] === POLICY_DEFAULT[option.key]
      ? []
      : [`${name}=${writeValue(option, policy[option.key])}`],
  );
  return [strategy, ...options].join(" ");
}
