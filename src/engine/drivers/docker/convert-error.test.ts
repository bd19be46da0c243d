// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseVersion } from "./connection.ts";
import { convertRefusal } from "./convert-error.ts";

const REFUSALS: readonly (readonly [number, string, string, string])[] = [
  [404, "No such image: a:latest", "/containers/create", "image-missing"],
  [404, "No such container: x", "/containers/x/start", "not-there"],
  [409, 'Conflict. The container name "/a" is already in use', "/containers/create", "name-taken"],
  [
    500,
    "Bind for 0.0.0.0:8080 failed: port is already allocated",
    "/containers/x/start",
    "port-in-use",
  ],
  [
    500,
    "listen tcp4 0.0.0.0:8080: bind: address already in use",
    "/containers/x/start",
    "port-in-use",
  ],
  [403, "network a id 1 has active endpoints", "/networks/a", "still-in-use"],
  [409, "remove v: volume is in use - [c]", "/volumes/v", "still-in-use"],
  [400, "invalid reference format", "/images/create", "engine-refused"],
  [500, "OCI runtime create failed", "/containers/x/start", "engine-refused"],
  [
    400,
    "client version 1.52 is too new. Maximum supported API version is 1.41",
    "/info",
    "engine-too-old",
  ],
  [
    400,
    "client version 1.41 is too old. Minimum supported API version is 1.60",
    "/info",
    "engine-too-new",
  ],
];

for (const [status, message, path, slug] of REFUSALS) {
  test(`${status} "${message}" is ${slug}, in JSON and in plain text`, () => {
    for (const text of [JSON.stringify({ message }), `${message}\n`]) {
      const error = convertRefusal({ status, text, method: "POST", path });
      assert.equal(error.kind.slug, slug);
      assert.equal(error.message, message);
      if (slug === "port-in-use") assert.equal(error.facts["port"], "8080");
    }
  });
}

test("the version is the engine's, at most the newest known, at least 1.41", () => {
  assert.equal(chooseVersion("1.41"), "1.41");
  assert.equal(chooseVersion("1.47"), "1.47");
  assert.equal(chooseVersion("1.99"), "1.52");
  assert.throws(() => chooseVersion("1.40"), /API 1.40/);
  assert.throws(() => chooseVersion(""), /unknown version/);
});
