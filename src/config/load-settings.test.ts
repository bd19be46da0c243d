// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FairleadError } from "#base/errors.ts";
import { type LoadOptions, loadSettings } from "./load-settings.ts";
import { renderConfigReference } from "./render-reference.ts";
import { SETTING_NOTES } from "./setting-notes.ts";
import { listSettingPaths, nameVariable } from "./setting-paths.ts";
import { readNodeDevices, readNodeLabels } from "./settings.ts";

function load(changes: Partial<LoadOptions> = {}, yaml?: string) {
  return loadSettings({
    flags: {},
    env: {},
    uid: 0,
    hostName: "alpha",
    readFile: () => yaml,
    ...changes,
  });
}

function refusal(changes: Partial<LoadOptions>, yaml?: string): FairleadError {
  try {
    load(changes, yaml);
  } catch (thrown) {
    assert.ok(thrown instanceof FairleadError);
    return thrown;
  }
  assert.fail("was accepted");
}

describe("loadSettings", () => {
  test("root has its state in /var/lib and its socket in /run", () => {
    const { settings } = load();
    assert.equal(settings.stateDir, "/var/lib/fairlead");
    assert.equal(settings.socket, "/run/fairlead/fairlead.sock");
    assert.equal(settings.nodeName, "alpha");
  });

  test("other users have theirs in the XDG directories", () => {
    const env = { HOME: "/home/ana", XDG_RUNTIME_DIR: "/run/user/1000" };
    const { settings } = load({ uid: 1000, env });
    assert.equal(settings.stateDir, "/home/ana/.local/state/fairlead");
    assert.equal(settings.socket, "/run/user/1000/fairlead/fairlead.sock");
  });

  test("flags win over the environment, the environment over the file, the file over defaults", () => {
    const yaml = "engine:\n  parallelism: 8\nlogLevel: warn\nlisten: off\n";
    const env = { FAIRLEAD_ENGINE_PARALLELISM: "16", FAIRLEAD_LOG_LEVEL: "error" };
    const { settings, origins } = load({ env, flags: { "engine.parallelism": "4" } }, yaml);
    assert.equal(settings.engine.parallelism, 4);
    assert.equal(settings.logLevel, "error");
    assert.equal(settings.listen, "off");
    assert.equal(origins["engine.parallelism"], "--engine-parallelism");
    assert.equal(origins["logLevel"], "FAIRLEAD_LOG_LEVEL");
    assert.equal(origins["listen"], "/etc/fairlead/fairlead.yaml:4");
    assert.equal(origins["stateDir"], "default");
  });

  test("durations and sizes may be written with units", () => {
    const { settings } = load({}, "resyncIntervalMs: 1m30s\ndecisions:\n  sizeMaxBytes: 64m\n");
    assert.equal(settings.resyncIntervalMs, 90_000);
    assert.equal(settings.decisions.sizeMaxBytes, 67_108_864);
  });

  test("unknown variables are told with the nearest one, and harm nothing", () => {
    const { warnings } = load({ env: { FAIRLEAD_LISTE: "off" } });
    assert.deepEqual(warnings, [
      "unknown variable FAIRLEAD_LISTE is ignored; did you mean FAIRLEAD_LISTEN?",
    ]);
  });

  const bad: [string, string, string, string][] = [
    ["an unknown key", "stateDri: /x\n", "FL0651", "1:1"],
    ["an unknown key of a group", "engine:\n  endpiont: unix:///x\n", "FL0651", "2:3"],
    ["a group that is a text", "engine: fast\n", "FL0652", "1:9"],
    ["a relative directory", "stateDir: data\n", "FL0652", "1:11"],
    ["a number out of range", "engine:\n  parallelism: 0\n", "FL0652", "2:16"],
    ["a duration without unit sense", "resyncIntervalMs: soon\n", "FL0652", "1:19"],
    ["a port above 65535", "listen: 127.0.0.1:70000\n", "FL0652", "1:9"],
    ["name servers at every address", "dns:\n  listen: 0.0.0.0:53\n", "FL0652", "2:11"],
    ["the same over IPv6", "dns:\n  listen: '[::]:53'\n", "FL0652", "2:11"],
    ["an unknown log level", "logLevel: loud\n", "FL0652", "1:11"],
    ["a list where a map is needed", "- a\n", "FL0653", "1:1"],
    ["broken YAML", "a: [1\nb: 2\n", "FL0653", "2:1"],
    ["a key given twice", "listen: off\nlisten: off\n", "FL0653", "2:1"],
  ];
  for (const [title, yaml, id, place] of bad) {
    test(`refuses ${title} with its place`, () => {
      const error = refusal({}, yaml);
      assert.equal(error.kind.id, id);
      assert.equal(`${error.location?.line}:${error.location?.column}`, place);
    });
  }

  test("refuses a named file that is not there", () => {
    assert.equal(refusal({ file: "/nowhere.yaml" }).kind.id, "FL0653");
  });

  test("labels and devices of the node are read by name; what has no number is refused", () => {
    const env = { FAIRLEAD_NODE_LABELS: "zone=east", FAIRLEAD_NODE_DEVICES: "gpu=2,licence=1" };
    const { settings } = load({ env });
    assert.deepEqual(readNodeLabels(settings), { zone: "east" });
    assert.deepEqual(readNodeDevices(settings), { gpu: 2, licence: 1 });
    const error = refusal({ env: { FAIRLEAD_NODE_DEVICES: "gpu" } });
    assert.equal(error.facts["set by"], "FAIRLEAD_NODE_DEVICES");
  });

  test("refuses a bad variable with its name and value", () => {
    const error = refusal({ env: { FAIRLEAD_STORE_KIND: "all" } });
    assert.deepEqual(error.facts, { value: "all", "set by": "FAIRLEAD_STORE_KIND" });
  });
});

test("every setting has notes, a variable of its own and a place in the reference", () => {
  const paths = listSettingPaths();
  assert.deepEqual(Object.keys(SETTING_NOTES).sort(), [...paths].sort());
  assert.equal(new Set(paths.map(nameVariable)).size, paths.length);
  for (const path of paths) assert.match(renderConfigReference(), new RegExp(`### ${path}\n\n\\S`));
});
