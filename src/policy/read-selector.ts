// SPDX-License-Identifier: Apache-2.0
import type { LabelRequirement, PolicySelector } from "#model/policy.ts";
import type { Field, Reader } from "./document.ts";

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;
const OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"] as const;

/** Selects everything. */
export const EVERYTHING: PolicySelector = { labels: {}, requirements: [] };

function isKey(text: string): boolean {
  const [first = "", second, ...more] = text.split("/");
  if (more.length > 0) return false;
  return second === undefined ? NAME.test(first) : PREFIX.test(first) && NAME.test(second);
}

function isValue(text: string): boolean {
  return text === "" || NAME.test(text);
}

function checkKey(reader: Reader, field: Field, key: string): void {
  if (!isKey(key)) reader.complain(field, `"${key}" is no key of a label`);
}

function readRequirement(reader: Reader, field: Field): LabelRequirement[] {
  const whole = reader.mapping(field, ["key", "operator", "values"]);
  if (whole === undefined) return [];
  const key = reader.text(whole.get("key"));
  const named = reader.text(whole.get("operator"));
  const operator = OPERATORS.find((one) => one === named);
  const values = reader.items(whole.get("values")).map((item) => {
    const value = reader.text(item) ?? "";
    if (!isValue(value)) reader.complain(item, `"${value}" is no value of a label`);
    return value;
  });
  if (key === undefined) reader.complain(field, "key is missing");
  else checkKey(reader, field, key);
  if (operator === undefined)
    return (reader.complain(field, `operator has to be one of ${OPERATORS.join(", ")}`), []);
  const takesValues = operator === "In" || operator === "NotIn";
  if (takesValues && values.length === 0) reader.complain(field, `${operator} needs values`);
  if (!takesValues && values.length > 0) reader.complain(field, `${operator} takes no values`);
  return [{ key: key ?? "", operator, values }];
}

/** A label selector; absent is that of everything. */
export function readSelector(reader: Reader, field: Field | undefined): PolicySelector {
  if (field === undefined) return EVERYTHING;
  const whole = reader.mapping(field, ["matchLabels", "matchExpressions"]);
  if (whole === undefined) return EVERYTHING;
  const written = whole.get("matchLabels");
  const labels = reader.texts(written);
  for (const [key, value] of Object.entries(labels)) {
    checkKey(reader, written ?? field, key);
    if (!isValue(value)) reader.complain(written ?? field, `"${value}" is no value of a label`);
  }
  const requirements = reader
    .items(whole.get("matchExpressions"))
    .flatMap((item) => readRequirement(reader, item));
  return { labels, requirements };
}
