// SPDX-License-Identifier: Apache-2.0
// Our schema beside the official one (testdata/compose-spec.json: compose-spec/compose-spec at 170098b, Apache-2.0).
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Ajv } from "ajv";
import { canonicalise } from "./canonicalise.ts";
import { createFindings } from "./findings.ts";
import { interpolateFile } from "./interpolate-tree.ts";
import { parseTrees } from "./parse-tree.ts";
import { project } from "./schema/project.ts";
import type { Shape } from "./shape.ts";
import { readMalformed } from "./testing/malformed.ts";
import { readTable } from "./testing/read-table.ts";
import { toPlain } from "./tree.ts";

type Json = Readonly<Record<string, unknown>>;

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const spec = readTable("compose-spec.json");
assert.ok(isJson(spec));
const definitions = spec["definitions"];
assert.ok(isJson(definitions));

function follow(schema: Json): Json {
  const reference = schema["$ref"];
  if (typeof reference !== "string") return schema;
  const found = isJson(definitions)
    ? definitions[reference.replace("#/definitions/", "")]
    : undefined;
  assert.ok(isJson(found), reference);
  return found;
}

/** Every path of keys that the official schema knows; `*` is any name, `[]` an item. */
function listOfficial(schema: Json, path: string, into: Set<string>): Set<string> {
  const here = follow(schema);
  const alternatives = [here["oneOf"], here["anyOf"]].flatMap((a) => (Array.isArray(a) ? a : []));
  for (const inner of alternatives) if (isJson(inner)) listOfficial(inner, path, into);
  const properties = here["properties"];
  for (const [key, inner] of Object.entries(isJson(properties) ? properties : {})) {
    const deeper = path === "" ? key : `${path}.${key}`;
    into.add(deeper);
    if (isJson(inner)) listOfficial(inner, deeper, into);
  }
  const patterns = here["patternProperties"];
  for (const [pattern, inner] of Object.entries(isJson(patterns) ? patterns : {})) {
    if (pattern === "^x-" || !isJson(inner)) continue;
    into.add(`${path}.*`);
    listOfficial(inner, `${path}.*`, into);
  }
  const items = here["items"];
  if (isJson(items)) listOfficial(items, `${path}[]`, into.add(`${path}[]`));
  return into;
}

function listOurs(shape: Shape, path: string, into: Set<string>): Set<string> {
  if (shape.kind === "list") listOurs(shape.item, `${path}[]`, into.add(`${path}[]`));
  if (shape.kind === "record") listOurs(shape.value, `${path}.*`, into.add(`${path}.*`));
  if (shape.kind === "object") {
    for (const [key, field] of Object.entries(shape.fields)) {
      const deeper = path === "" ? key : `${path}.${key}`;
      into.add(deeper);
      listOurs(field.shape, deeper, into);
    }
  }
  return into;
}

/** Keys of the official schema that are read in another place of ours, and why. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "networks.*.external.name": "expanded into name",
  "volumes.*.external.name": "expanded into name",
  "configs.*.external.name": "expanded into name",
  "secrets.*.external.name": "expanded into name",
  "services.*.develop.watch[].exec.*": "develop is unsupported as a whole",
};

function isElsewhere(path: string): boolean {
  return Object.keys(ELSEWHERE).some((known) =>
    known.endsWith(".*") ? path.startsWith(known.slice(0, -1)) : path === known,
  );
}

describe("our schema of Compose files", () => {
  const isKey = (path: string): boolean => !/(?:\[\]|\.\*)$/.test(path);
  const official = new Set([...listOfficial(spec, "", new Set())].filter(isKey));
  const ours = new Set([...listOurs(project, "", new Set())].filter(isKey));

  test("knows every key of the official one", () => {
    assert.ok(official.size > 250, `only ${official.size} keys were found in the official schema`);
    assert.deepEqual(
      [...official].filter((path) => !ours.has(path) && !isElsewhere(path)),
      [],
    );
  });

  test("knows no key that the official one does not", () => {
    assert.deepEqual(
      [...ours].filter((path) => !official.has(path)),
      [],
    );
  });

  test("says why for every key that has no effect, and has a text for each", () => {
    const walk = (shape: Shape): void => {
      if (shape.kind === "list") walk(shape.item);
      if (shape.kind === "record") walk(shape.value);
      if (shape.kind !== "object") return;
      for (const [key, field] of Object.entries(shape.fields)) {
        assert.ok(field.doc.length > 2, key);
        if (field.unsupported !== undefined) assert.ok(field.unsupported.length > 10, key);
        walk(field.shape);
      }
    };
    walk(project);
  });
});

interface Verdict {
  readonly name: string;
  readonly text: string;
  readonly official: boolean;
  readonly ours: boolean;
}

const ajv = new Ajv({ strict: false, allErrors: false, validateFormats: false });
// The library knows draft 07 by another spelling of its address.
const { $schema: _, ...bare } = spec;
const validate = ajv.compile(bare);

/** Both verdicts on the same data: the file with its variables put in. */
function judge(name: string, text: string): Verdict | undefined {
  const findings = createFindings();
  let trees;
  try {
    trees = parseTrees(text, name);
  } catch {
    return undefined; // not YAML: there is nothing for the official schema to see
  }
  const [tree] = trees;
  if (
    tree === undefined ||
    trees.length > 1 ||
    text.includes("!reset") ||
    text.includes("!override")
  ) {
    return undefined; // tags act before the official schema is applied
  }
  const interpolated = interpolateFile(tree, new Map(), findings);
  if (findings.problems.length > 0) return undefined;
  canonicalise(interpolated, project, "", findings);
  return {
    name,
    text,
    official: validate(toPlain(interpolated)),
    ours: findings.problems.length === 0,
  };
}

function readFolder(folder: string): [string, string][] {
  const url = new URL(`testdata/${folder}/`, import.meta.url);
  return readdirSync(url).map((name) => [name, readFileSync(new URL(name, url), "utf8")]);
}

/** A file with `value` at a path of keys, and nothing else. */
function wrap(path: string, value: unknown): unknown {
  const keys = path.replaceAll("[]", ".[]").split(".");
  return keys.reduceRight<unknown>(
    (inner, key) => (key === "[]" ? [inner] : { [key === "*" ? "a" : key]: inner }),
    value,
  );
}

const SAMPLES: readonly unknown[] = [
  "text",
  "1",
  1,
  1.5,
  true,
  null,
  [],
  ["a"],
  [1],
  {},
  { a: "b" },
  { a: 1 },
];

/** Where we take other kinds of value than the official schema on purpose. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  "services.*.post_start[].command": "a hook without a command is none",
  "services.*.pre_stop[].command": "a hook without a command is none",
  "secrets.*.external": "it forgets to close the mapping that it closes for networks and volumes",
  "services.*.gpus[]": "it forgets to close the mapping that it closes for devices",
  "services.*.models.*": "a list of models is a mapping to nothing here; models have no effect",
  "configs.*.external": "it forgets to close the mapping that it closes for networks and volumes",
};

describe("each key of the official schema", () => {
  test("takes the same kinds of value here", () => {
    const different: string[] = [];
    let compared = 0;
    for (const path of listOfficial(isJson(spec) ? spec : {}, "", new Set())) {
      for (const sample of SAMPLES) {
        const data = wrap(path, sample);
        const findings = createFindings();
        const [tree] = parseTrees(JSON.stringify(data), "sample.yaml");
        if (tree === undefined) continue;
        canonicalise(tree, project, "", findings);
        // A value of the right kind and a wrong form is our own, stricter, matter.
        const official = validate(data);
        const kinds = findings.problems.every((p) => p.slug === "bad-value");
        const ours = official ? kinds : findings.problems.length === 0;
        compared++;
        if (official === ours || path in OTHER_KINDS) continue;
        const mine = findings.problems[0]?.message ?? "accepted";
        different.push(`${path} = ${JSON.stringify(sample)}: ${ours ? "ours accepts" : mine}`);
      }
    }
    assert.ok(compared > 2_000);
    assert.deepEqual(different, []);
  });
});

describe("the verdict of the official schema and ours", () => {
  const accepted = readFolder("accepted").filter(([name]) => name.endsWith(".yaml"));
  const malformed = readMalformed();

  test("is the same for every accepted file", () => {
    assert.ok(accepted.length >= 15);
    for (const [name, text] of accepted) {
      const verdict = judge(name, text);
      if (verdict === undefined) continue;
      assert.deepEqual([name, verdict.official, validate.errors], [name, verdict.ours, null]);
    }
  });

  test("is the same for every malformed file but those that say why we are stricter", () => {
    const different: string[] = [];
    let compared = 0;
    for (const { name, text } of malformed) {
      const verdict = judge(name, text);
      if (verdict === undefined) continue;
      compared++;
      if (verdict.ours) assert.ok(verdict.official, `${name}: only the official schema refuses it`);
      else if (verdict.official) different.push(name);
    }
    assert.ok(compared > 100, `only ${compared} were compared`);
    const explained = malformed.filter((c) => c.stricter !== undefined).map((c) => c.name);
    assert.deepEqual(different, explained);
  });
});
