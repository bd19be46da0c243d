// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isKind } from "#base/errors.ts";
import { composeErrors } from "./errors.ts";
import type { LoadResult, ServiceModel } from "./project.ts";
import { DIRECTORY, loadText } from "./testing/load-text.ts";

type More = Readonly<Record<string, string>>;

async function one(body: string, more: More = {}, environment: More = {}): Promise<ServiceModel> {
  const indented = body.replaceAll(/^/gm, "    ");
  const loaded = await loadText(`services:\n  a:\n    image: x\n${indented}\n`, more, {
    environment,
  });
  return pick(loaded, "a");
}

function pick(loaded: LoadResult, name: string): ServiceModel {
  const service = loaded.project.services[name];
  assert.ok(service, `no service ${name}`);
  return service;
}

describe("several files", () => {
  const files = [`${DIRECTORY}/compose.yaml`, `${DIRECTORY}/override.yaml`];

  test("a later file changes an earlier one, and the place is that of the later", async () => {
    const more = {
      "override.yaml": "services:\n  a:\n    environment: [B=3, C=4]\n    ports: ['81:81']\n",
    };
    const text =
      "services:\n  a:\n    image: x\n    environment: {A: 1, B: 2}\n    ports: ['80:80']\n";
    const loaded = await loadText(text, more, { files });
    const a = pick(loaded, "a");
    assert.deepEqual(a.environment, { A: "1", B: "3", C: "4" });
    assert.deepEqual(
      a.ports?.map((port) => port.published),
      ["80", "81"],
    );
    const find = (...path: string[]): unknown => loaded.origins.find(["services", "a", ...path]);
    assert.deepEqual(find("environment", "A"), { file: files[0], line: 4, column: 19 });
    assert.deepEqual(find("environment", "B"), { file: files[1], line: 3, column: 19 });
    assert.deepEqual(loaded.files, files);
  });

  test("relative paths of every file start from the project directory", async () => {
    const more = { "deep/override.yaml": "services: {a: {volumes: ['./d:/d']}}" };
    const both = [files[0] ?? "", `${DIRECTORY}/deep/override.yaml`];
    const loaded = await loadText("services: {a: {image: x}}", more, { files: both });
    assert.equal(pick(loaded, "a").volumes?.[0]?.source, `${DIRECTORY}/d`);
  });

  test("several documents in one file are merged in order", async () => {
    const loaded = await loadText("services: {a: {image: x}}\n---\nservices: {a: {user: '1'}}\n");
    assert.deepEqual([pick(loaded, "a").image, pick(loaded, "a").user], ["x", "1"]);
  });
});

describe("include", () => {
  test("short and long form; paths and variables of an included file are its own", async () => {
    const loaded = await loadText(
      "include:\n  - one/compose.yaml\n  - path: [two/a.yaml, two/b.yaml]\n    project_directory: two\n    env_file: two/vars.env\nservices: {a: {image: 'x:${TAG:-none}'}}\n",
      {
        "one/compose.yaml": "services: {one: {image: 'x:${TAG}', volumes: ['./d:/d']}}",
        "one/.env": "TAG=of-one\n",
        "two/a.yaml": "services: {two: {image: 'x:${TAG}', env_file: e.env}}",
        "two/b.yaml": "services: {two: {user: '7'}}\nvolumes: {v: {}}",
        "two/vars.env": "TAG=of-two\n",
        "two/e.env": "E=${TAG}\n",
      },
    );
    assert.equal(pick(loaded, "a").image, "x:none");
    assert.equal(pick(loaded, "one").image, "x:of-one");
    assert.equal(pick(loaded, "one").volumes?.[0]?.source, `${DIRECTORY}/one/d`);
    assert.deepEqual([pick(loaded, "two").image, pick(loaded, "two").user], ["x:of-two", "7"]);
    assert.equal(loaded.project.volumes["v"]?.name, "shop_v");
  });

  test("the environment of the includer wins over the included .env", async () => {
    const more = {
      "one/compose.yaml": "services: {one: {image: 'x:${TAG}'}}",
      "one/.env": "TAG=low\n",
    };
    const loaded = await loadText("include: [one/compose.yaml]\nservices: {}", more, {
      environment: { TAG: "high" },
    });
    assert.equal(pick(loaded, "one").image, "x:high");
  });

  test("the same resource in both, and equal, is one; two files may include the same third", async () => {
    const loaded = await loadText(
      "include: [one.yaml, two.yaml]\nservices: {a: {image: x}}\nnetworks: {n: {}}",
      {
        "one.yaml": "include: [three.yaml]\nnetworks: {n: {}}",
        "two.yaml": "include: [three.yaml]",
        "three.yaml": "services: {c: {image: z}}",
      },
    );
    assert.deepEqual(Object.keys(loaded.project.services).sort(), ["a", "c"]);
  });

  test("a further -f may change what was included", async () => {
    const loaded = await loadText(
      "include: [one.yaml]\nservices: {a: {image: x}}",
      { "one.yaml": "services: {b: {image: y}}", "over.yaml": "services: {b: {user: '1'}}" },
      { files: [`${DIRECTORY}/compose.yaml`, `${DIRECTORY}/over.yaml`] },
    );
    assert.deepEqual([pick(loaded, "b").image, pick(loaded, "b").user], ["y", "1"]);
  });
});

describe("extends", () => {
  test("from the same file, in a chain", async () => {
    const loaded = await loadText(
      "services:\n  a: {extends: b, environment: {A: 3}}\n  b: {extends: {service: c}, environment: {A: 2, B: 2}, ports: ['81']}\n  c: {image: x, environment: {A: 1, C: 1}, ports: ['80']}\n",
    );
    const a = pick(loaded, "a");
    assert.deepEqual(a.environment, { A: "3", B: "2", C: "1" });
    assert.deepEqual(
      a.ports?.map((port) => port.target),
      [80, 81],
    );
    assert.equal(a.extends, undefined);
  });

  test("from another file, whose relative paths are its own", async () => {
    const loaded = await loadText(
      "services: {a: {extends: {service: b, file: lib/base.yaml}, volumes: ['./d:/e']}}",
      {
        "lib/base.yaml":
          "services: {b: {extends: c}, c: {extends: {service: d, file: more/deep.yaml}, build: ., env_file: e.env}}",
        "lib/more/deep.yaml": "services: {d: {image: x, volumes: ['./d:/d']}}",
        "lib/e.env": "E=1\n",
      },
    );
    const a = pick(loaded, "a");
    assert.equal(a.build?.context, `${DIRECTORY}/lib`);
    assert.deepEqual(a.environment, { E: "1" });
    assert.deepEqual(
      a.volumes?.map((v) => v.source),
      [`${DIRECTORY}/lib/more/d`, `${DIRECTORY}/d`],
    );
  });
});

describe("variables", () => {
  test(".env is read, the environment wins, and values may use earlier ones", async () => {
    const text = "services: {a: {image: '${A}-${B}-${C}'}}";
    const loaded = await loadText(
      text,
      { ".env": "A=1\nB=${A}2\nC='$A'\n" },
      { environment: { A: "env" } },
    );
    assert.equal(pick(loaded, "a").image, "env-env2-$A");
  });

  test("files of variables can be named instead of .env", async () => {
    const options = { envFiles: [`${DIRECTORY}/one.env`, `${DIRECTORY}/two.env`] };
    const more = { ".env": "A=no", "one.env": "A=1\nB=1", "two.env": "B=2" };
    const loaded = await loadText("services: {a: {image: '${A}${B}'}}", more, options);
    assert.equal(pick(loaded, "a").image, "12");
  });

  test("an unset variable is a warning with its place", async () => {
    const loaded = await loadText("services:\n  a:\n    image: x$TAG\n");
    assert.deepEqual(
      loaded.diagnostics.map((d) => [d.id, d.at?.line, d.at?.column]),
      [["FL0221", 3, 12]],
    );
  });

  test("one that is used in many places is one warning, at the first", async () => {
    const loaded = await loadText(
      "services:\n  a: {image: x$TAG, user: $TAG}\n  b: {image: $TAG$TAG-y}\n",
    );
    assert.deepEqual(
      loaded.diagnostics.map((d) => [d.id, d.at?.line]),
      [["FL0221", 2]],
    );
  });

  test("texts become numbers and truth values where a key needs them", async () => {
    const a = await one(
      "tty: ${T}\nscale: ${N}\noom_score_adj: '$M'\ndepends_on: {}",
      {},
      { T: "yes", N: "3", M: "-5" },
    );
    assert.deepEqual([a.tty, a.scale, a.oom_score_adj], [true, 3, -5]);
  });

  test("the name of the project is a variable too", async () => {
    assert.equal((await one("hostname: $COMPOSE_PROJECT_NAME")).hostname, "shop");
  });
});

describe("the name of the project", () => {
  const name = async (text: string, options = {}, environment = {}): Promise<string> =>
    (await loadText(`${text}services: {a: {image: x}}`, {}, { ...options, environment })).project
      .name;

  test("option, COMPOSE_PROJECT_NAME, name, directory, in this order", async () => {
    const env = { COMPOSE_PROJECT_NAME: "from-env" };
    assert.equal(await name("name: inside\n", { projectName: "given" }, env), "given");
    assert.equal(await name("name: inside\n", {}, env), "from-env");
    assert.equal(await name("name: ${X:-inside}\n"), "inside");
    assert.equal(await name(""), "shop");
    assert.equal(await name("", { projectDirectory: "/srv/My Shop.2" }), "myshop2");
  });
});

describe("the environment of a service", () => {
  test("env_file, then environment; later files win; empty names come from the environment", async () => {
    const a = await one(
      "env_file: [one.env, {path: two.env, required: false}, {path: none.env, required: false}]\nenvironment:\n  C: 3\n  FROM:\n  GONE:",
      { "one.env": "A=1\nB=1\nBARE\n", "two.env": "B=2\nC=2\n" },
      { FROM: "here", BARE: "found" },
    );
    assert.deepEqual(a.environment, {
      A: "1",
      B: "2",
      BARE: "found",
      C: "3",
      FROM: "here",
      GONE: null,
    });
    assert.equal(a.env_file, undefined);
  });

  test("format raw takes every character", async () => {
    const a = await one("env_file: [{path: e, format: raw}]", { e: "A='$X' # y\nB=\"\n" });
    assert.deepEqual(a.environment, { A: "'$X' # y", B: '"' });
  });

  test("numbers and truth values keep their text", async () => {
    const a = await one(
      "environment: {A: 1.5, B: true, C: 12345678901234567890, D: 0777, E: '0777', F: 1_000}",
    );
    assert.deepEqual(a.environment, {
      A: "1.5",
      B: "true",
      C: "12345678901234567890",
      D: "511",
      E: "0777",
      F: "1_000",
    });
  });

  test("label_file is read into labels, which win", async () => {
    const a = await one("label_file: l\nlabels: {b: own}", { l: "a=1\nb=2\n" });
    assert.deepEqual(a.labels, { a: "1", b: "own" });
  });
});

describe("profiles", () => {
  const text =
    "services:\n  a: {image: x, depends_on: {d: {condition: service_started, required: false}}}\n  d: {image: x, profiles: [dev]}\n  t: {image: x, profiles: [dev, test]}\n";
  const run = async (profiles: string[], environment: More = {}): Promise<readonly string[]> =>
    Object.keys((await loadText(text, {}, { profiles, environment })).project.services);

  test("a service without one is always on, others when one of theirs is active", async () => {
    assert.deepEqual(await run([]), ["a"]);
    assert.deepEqual(await run(["test"]), ["a", "t"]);
    assert.deepEqual(await run(["*"]), ["a", "d", "t"]);
    assert.deepEqual(await run([], { COMPOSE_PROFILES: "dev" }), ["a", "d", "t"]);
  });

  test("what was left out is named, and an optional dependency on it is dropped", async () => {
    const loaded = await loadText(text);
    assert.deepEqual(loaded.inactive, ["d", "t"]);
    assert.deepEqual(pick(loaded, "a").depends_on, {});
  });
});

describe("fairlead settings", () => {
  test("labels win over x-fairlead, that over deploy.labels, that over the file's x-fairlead", async () => {
    const loaded = await loadText(
      "x-fairlead: {heal: alert, ttl: 1h, kind: agent}\nservices:\n  a:\n    image: x\n    labels: {fairlead.heal: off, own: z}\n    x-fairlead:\n      heal: {do: replace, max: 3, in: 5m}\n      port: {port: 80, protocol: http}\n    deploy: {labels: {fairlead.ttl: 2h}}\n",
    );
    assert.deepEqual(pick(loaded, "a").labels, {
      "fairlead.heal": "off",
      own: "z",
      "fairlead.port": "80/http",
      "fairlead.ttl": "2h",
      "fairlead.kind": "agent",
    });
    assert.deepEqual(
      loaded.diagnostics.map((d) => d.slug),
      ["label-conflict"],
    );
    assert.deepEqual(loaded.origins.find(["services", "a", "labels", "fairlead.ttl"])?.line, 9);
  });

  test("a route is checked with the parser that agents use, and says what was probably meant", async () => {
    const route = (text: string) =>
      loadText(`services:\n  a:\n    image: x\n    labels: {fairlead.route: "${text}"}\n`);
    assert.deepEqual((await route("hash:user-id eject=3")).diagnostics, []);
    const [wrong] = (await route("ewma hegde=p95")).diagnostics;
    assert.equal(wrong?.slug, "bad-label");
    assert.match(wrong?.message ?? "", /"hegde" is no option of routing; did you mean "hedge"\?/);
    const a = await one("x-fairlead: {route: {by: ewma, eject: 3}}");
    assert.equal(a.labels?.["fairlead.route"], "ewma eject=3");
  });

  test("lists of peers become the text that the label takes", async () => {
    const a = await one("x-fairlead: {allow: {from: [web, other/cron]}}");
    assert.equal(a.labels?.["fairlead.allow.from"], "web,other/cron");
  });

  test("a list of peers that would keep nobody out is refused, with how nobody is allowed", async () => {
    const allow = (text: string) =>
      loadText(`services:\n  a:\n    image: x\n    labels: {fairlead.allow.from: "${text}"}\n`);
    await assert.rejects(allow(""), /it names nobody; to allow nobody at all .*`ingress: \[\]`/);
    await assert.rejects(allow("web, a/b/c"), /keep nobody out: a\/b\/c is no name of a service/);
  });
});

describe("a refusal", () => {
  test("of a file that is not there names it", async () => {
    await assert.rejects(
      loadText("", {}, { files: ["/srv/shop/none.yaml"] }),
      (thrown) =>
        isKind(thrown, composeErrors["file-unreadable"]) &&
        thrown.message.includes("/srv/shop/none.yaml"),
    );
  });

  test("carries the other problems as facts", async () => {
    await assert.rejects(loadText("services:\n  a: {imag: x}\n  b: {prots: []}\n"), (thrown) => {
      assert.ok(isKind(thrown, composeErrors["unknown-key"]));
      assert.deepEqual(thrown.location, { file: "/srv/shop/compose.yaml", line: 2, column: 7 });
      assert.match(
        String(thrown.facts["also 1"]),
        /^\/srv\/shop\/compose\.yaml:3:7 unknown key "prots"/,
      );
      return true;
    });
  });
});
