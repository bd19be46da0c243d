// SPDX-License-Identifier: Apache-2.0
// `fairlead config` beside Debian's `docker-compose config` (1.29): the same files have to mean the same.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { canonicalise } from "./canonicalise.ts";
import { createFindings } from "./findings.ts";
import { loadProject } from "./load-project.ts";
import { parseTrees } from "./parse-tree.ts";
import { renderProject } from "./render-project.ts";
import { project as projectShape } from "./schema/project.ts";
import { createMemorySource } from "./source.ts";
import { toPlain } from "./tree.ts";

const PEER = "/usr/bin/docker-compose";
const samples = new URL("testdata/accepted/", import.meta.url);
const names = readdirSync(samples).filter((name) => name.endsWith(".yaml"));
/** Files that 1.29 refuses, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  "new-keys.yaml": "its keys are newer than 1.29",
  "port-forms.yaml": "an empty address before a port is newer than 1.29",
};

type Plain = Record<string, unknown>;

function isPlain(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce((v: unknown, key) => (isPlain(v) ? v[key] : undefined), value);
}

/** Our own canonical form of any rendered text: short and long forms of one thing become equal. */
function canon(text: string): Plain {
  const [tree] = parseTrees(text.replaceAll("$$", "$"), "rendered.yaml");
  assert.ok(tree);
  const findings = createFindings();
  const plain = toPlain(canonicalise(tree, projectShape, "", findings));
  assert.deepEqual(findings.problems, []);
  assert.ok(isPlain(plain));
  return plain;
}

/**
 * Known differences, each with its reason. Everything else has to be equal.
 */
function normalise(whole: Plain, project: string): Plain {
  // 1.29 prints `version`, we print `name`; neither says anything about the containers.
  const { version: _, name: __, ...rest } = whole;
  for (const key of Object.keys(rest)) if (key.startsWith("x-")) delete rest[key]; // 1.29 leaves own keys out of some
  for (const section of ["networks", "volumes", "configs", "secrets"]) {
    rest[section] = normaliseSection(rest[section], project, section);
  }
  const services = rest["services"];
  if (isPlain(services)) {
    for (const name of Object.keys(services)) services[name] = normaliseService(services[name]);
  }
  return rest;
}

function normaliseSection(value: unknown, project: string, section: string): Plain {
  const entries = Object.entries(isPlain(value) ? value : {}).map(
    ([key, inner]): [string, unknown] => {
      const resource = isPlain(inner) ? { ...inner } : {};
      // Names that follow from the key: we write them out, 1.29 makes them up when it runs.
      if (resource["name"] === `${project}_${key}` || resource["name"] === key)
        delete resource["name"];
      return [key, resource];
    },
  );
  const kept = entries.filter(([key, resource]) => {
    if (section !== "networks") return true;
    // The network `default` is written out by us only; 1.29 leaves external networks out that no service uses.
    const bare = isPlain(resource) && Object.keys(resource).length === 0;
    return !(key === "default" && bare) && at(resource, "external") !== true;
  });
  return Object.fromEntries(kept);
}

function normaliseService(value: unknown): unknown {
  if (!isPlain(value)) return value;
  const service: Plain = { ...value };
  // The default network, and the null that stands for "no options".
  const networks = service["networks"];
  if (isPlain(networks)) {
    const keys = Object.keys(networks);
    if (keys.length === 1 && keys[0] === "default" && !at(networks, "default"))
      delete service["networks"];
  }
  // `required: true` is newer than 1.29; a shared namespace is a dependency to us, and to newer Compose.
  const dependsOn = service["depends_on"];
  if (isPlain(dependsOn)) {
    for (const [key, inner] of Object.entries(dependsOn)) {
      if (isPlain(inner)) dependsOn[key] = { condition: inner["condition"] };
      if (String(service["network_mode"]).endsWith(`:${key}`)) delete dependsOn[key];
    }
    if (Object.keys(dependsOn).length === 0) delete service["depends_on"];
  }
  const labels = service["labels"];
  if (isPlain(labels)) {
    // x-fairlead of a file becomes a label of each service.
    service["labels"] = Object.fromEntries(
      Object.entries(labels).filter(([k]) => k !== "fairlead.heal"),
    );
    if (Object.keys(service["labels"] ?? {}).length === 0) delete service["labels"];
  }
  const build = service["build"];
  // `Dockerfile` is the default that we write out.
  if (isPlain(build) && build["dockerfile"] === "Dockerfile") delete build["dockerfile"];
  // 1.29 leaves out what a published port has by default.
  for (const port of Array.isArray(service["ports"]) ? service["ports"] : []) {
    if (isPlain(port))
      Object.assign(port, { mode: port["mode"] ?? "ingress", protocol: port["protocol"] ?? "tcp" });
  }
  // 1.29 does not write create_host_path, which its short form always means.
  for (const mount of Array.isArray(service["volumes"]) ? service["volumes"] : []) {
    if (isPlain(mount) && isPlain(mount["bind"])) delete mount["bind"];
  }
  // 1.29 writes times as a number of nanoseconds or in another unit; the length is what counts.
  const check = service["healthcheck"];
  if (isPlain(check) && check["disable"] === true) service["healthcheck"] = { test: ["NONE"] };
  else if (isPlain(check)) for (const key of Object.keys(check)) check[key] = sameTime(check[key]);
  if (service["stop_grace_period"] !== undefined)
    service["stop_grace_period"] = sameTime(service["stop_grace_period"]);
  return service;
}

function sameTime(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(h|m|s)/g)];
  if (parts.map((p) => p[0]).join("") !== value || value === "") return value;
  const seconds: Readonly<Record<string, number>> = { h: 3_600, m: 60, s: 1 };
  return parts.reduce((sum, [, n, unit = ""]) => sum + Number(n) * (seconds[unit] ?? 0), 0);
}

describe("`fairlead config` and docker-compose config", () => {
  let directory = "";
  before(() => {
    assert.ok(existsSync(PEER), `${PEER} is missing: npm run setup brings it`);
    directory = mkdtempSync(join(tmpdir(), "fairlead-compose-"));
    cpSync(samples, directory, { recursive: true });
    writeFileSync(join(directory, ".env"), "GIVEN=from file\nB=second\n");
    for (const name of ["app", "b"]) mkdirSync(join(directory, name));
    for (const name of ["c.txt", "s.txt"]) writeFileSync(join(directory, name), "text");
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  async function renderOurs(name: string): Promise<string> {
    const files: Record<string, string> = {
      [`${directory}/.env`]: "GIVEN=from file\nB=second\n",
    };
    files[`${directory}/${name}`] = readFileSync(join(directory, name), "utf8");
    const loaded = await loadProject(
      {
        files: [`${directory}/${name}`],
        projectDirectory: directory,
        projectName: "shop",
        profiles: ["*"],
        environment: {},
      },
      createMemorySource(files),
    );
    return renderProject(loaded.project);
  }

  for (const name of names) {
    const refused = REFUSED[name];
    test(`${name}: ${refused === undefined ? "both mean the same" : `1.29 refuses it, ${refused}`}`, async () => {
      const peer = spawnSync(PEER, ["-p", "shop", "-f", name, "config"], {
        cwd: directory,
        encoding: "utf8",
        env: { PATH: "/usr/bin:/bin", HOME: directory },
        timeout: 60_000,
      });
      const ours = await renderOurs(name);
      assert.equal(peer.status === 0, refused === undefined, peer.stderr);
      if (refused !== undefined) return;
      assert.deepEqual(normalise(canon(ours), "shop"), normalise(canon(peer.stdout), "shop"));
    });
  }

  test("what is printed loads again, and prints the same", async () => {
    for (const name of names) {
      const first = await renderOurs(name);
      const file = "/srv/again/compose.yaml";
      const again = await loadProject(
        { files: [file], projectDirectory: "/srv/again", profiles: ["*"], environment: {} },
        createMemorySource({ [file]: first }),
      );
      assert.equal(renderProject(again.project), first, name);
    }
  });
});
