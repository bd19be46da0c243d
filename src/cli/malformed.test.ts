// SPDX-License-Identifier: Apache-2.0
// Command lines that are not right: each is refused with its code and exit status, and the node is never asked.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startApi, type TestApi } from "#api/testing/start-api.ts";
import { runFairlead } from "./testing/run-fairlead.ts";

/** Words, code of the error, text that it has to have. All exit with 2. */
const LINES: readonly (readonly [line: string, id: string, says: RegExp])[] = [
  ["nosuch", "FL0601", /unknown command "nosuch"/],
  ["pss", "FL0601", /did you mean "ps"\?/],
  ["doktor", "FL0601", /did you mean "doctor"\?/],
  ["UP", "FL0601", /did you mean "up"\?/],
  ["flow", "FL0601", /unknown command/],
  ["-A ps", "FL0602", /flags stand after the command/],
  ["--nosuch", "FL0602", /--nosuch/],
  ["ps --nosuch", "FL0602", /unknown flag --nosuch/],
  ["ps --filtre a=b", "FL0602", /did you mean --filter\?/],
  ["ps --json", "FL0602", /did you mean -o json\?/],
  ["up --detatch", "FL0602", /did you mean --detach\?/],
  ["logs --folow", "FL0602", /did you mean --follow\?/],
  ["ps -Z", "FL0602", /unknown flag -Z/],
  ["down --recreate", "FL0602", /--recreate/],
  ["why", "FL0603", /object/],
  ["inspect", "FL0603", /object/],
  ["completion", "FL0603", /shell/],
  ["ps --scope", "FL0603", /--scope/],
  ["up -f", "FL0603", /--file/],
  ["status extra", "FL0604", /too many arguments/],
  ["why a b", "FL0604", /too many arguments/],
  ["net ls shop_default", "FL0604", /net ls takes no more \(shop_default\)/],
  ["user revoke ana 3f a", "FL0604", /takes 3, not 4/],
  ["rights rm one two", "FL0604", /rights rm one takes no more/],
  ["ps -o jsno", "FL0605", /did you mean --output json\?/],
  ["ps -o xml", "FL0605", /takes\s+table, wide, json/],
  ["ps -o=json", "FL0605", /does not take "=json"/],
  ["ps --color sometimes", "FL0605", /auto, always, never/],
  ["up --timeout soon", "FL0605", /a duration/],
  ["up --timeout 10", "FL0605", /a duration/],
  ["pause --for -5m", "FL0605", /a duration/],
  ["decisions --limit many", "FL0605", /a whole number/],
  ["decisions --limit -1", "FL0605", /a whole number/],
  ["decisions --since yesterday", "FL0605", /a duration ago/],
  ["decisions --outcome fine", "FL0605", /pending, done/],
  ["ps --filter running", "FL0605", /KEY=VALUE/],
  ["ps --scope Shop", "FL0605", /lower-case/],
  ["ps --scope ../etc", "FL0605", /lower-case/],
  ["ps --scope $(reboot)", "FL0605", /lower-case/],
  ["up -p UPPER", "FL0605", /lower-case/],
  ["completion tcsh", "FL0605", /bash, zsh, fish/],
  ["placement web", "FL0605", /does not take "web"[^]*takes +explain/],
  ["net inspekt", "FL0605", /did you mean inspect\?/],
  ["token make", "FL0605", /create, ls, revoke/],
  ["token create --ttl 30s", "FL0605", /1m to 24h/],
  ["token create --ttl 2d", "FL0605", /1m to 24h/],
  ["token create --uses 0", "FL0605", /1 to 1000/],
  ["token create --uses few", "FL0605", /a whole number/],
  ["token revoke", "FL0603", /which token/],
  ["join", "FL0603", /token/],
  ["join SWMTKN-1-abc", "FL0628", /begins with flj1_/],
  ["join flj2_abcd", "FL0628", /another version/],
  ["join flj1_eyJmbGVldCI6", "FL0628", /mistyped, or a part of it is missing/],
  ["join flj1_$(reboot)", "FL0628", /character/],
  ["fleet make", "FL0605", /create/],
  ["fleet create", "FL0603", /needs a name/],
  ["fleet create Harbour", "FL0652", /fleet\.name/],
  ["fleet create harbour --store etcd", "FL0652", /store\.endpoints[^]*set by +--store$/m],
  ["fleet create harbour --store http://a:2379", "FL0652", /: a:2379 for etcd, consul/],
  ["fleet create harbour --address here", "FL0605", /IPv4 or IPv6/],
  ["fleet create harbour --name a/b", "FL0652", /nodeName[^]*set by +--name$/m],
  ["fleet create harbour --ca-file /nosuch.pem", "FL0608", /cannot read \/nosuch\.pem/],
  ["nodes rm", "FL0603", /which node/],
  ["nodes remove node-b", "FL0605", /rm/],
  ["cordon", "FL0603", /node/],
  ["drain node-a node-b", "FL0604", /too many arguments/],
  ["doctor --only nosuch", "FL0605", /checks/],
  ["doctor --skip engin", "FL0605", /did you mean engine\?/],
  ["ps --scope a --scope b", "FL0606", /given twice/],
  ["ps --scope shop -A", "FL0606", /--scope/],
  ["up --build --no-build", "FL0606", /--build/],
  ["up --wait --detach", "FL0606", /--detach/],
  ["restart --scope shop --wait -d", "FL0606", /--detach/],
  ["up --plan p.json --dry-run", "FL0606", /--plan/],
  ["down -p one --scope two", "FL0606", /two scopes/],
  ["up", "FL0607", /no Compose file/],
  ["plan", "FL0607", /no Compose file/],
  ["config", "FL0607", /no Compose file/],
  ["up --plan nosuch.json", "FL0608", /cannot read the plan/],
  ["up --plan /dev/null", "FL0608", /is not a plan/],
  ["restart", "FL0609", /no scope/],
  ["scale web --scope shop", "FL0605", /^ {2}because {2}it is not SERVICE=NUMBER\n {2}do/m],
  ["scale web=-1 --scope shop", "FL0605", /from 0 to 10000/],
  ["scale web=10001 --scope shop", "FL0605", /from 0 to 10000/],
  ["down", "FL0609", /no scope/],
  ["logs", "FL0609", /no scope/],
  ["explain nosuchthing", "FL0610", /nothing is known/],
  ["explain quarantene", "FL0610", /did you mean quarantined\?/],
  ["node --set nosuch=1", "FL0651", /there is no setting/],
  ["node --set engine.parallelism=0", "FL0652", /engine\.parallelism/],
  ["node --config /nosuch.yaml", "FL0653", /there is no file/],
];

describe("a command line that is not right", { concurrency: 3 }, () => {
  let api: TestApi;
  before(async () => {
    api = await startApi();
  });
  after(async () => {
    assert.deepEqual(api.fake.calls, [], "the node was asked");
    await api[Symbol.asyncDispose]();
  });

  for (const [line, id, says] of LINES) {
    test(`fairlead ${line} → ${id}, exit 2`, async () => {
      const env = { FAIRLEAD_SOCKET: api.socketPath };
      const run = await runFairlead(line.split(" "), { env, cwd: "/" });
      assert.match(run.stderr, new RegExp(`^error ${id} `));
      assert.match(run.stderr, says);
      assert.match(run.stderr, /\n {2}because .*\n {2}do /);
      assert.equal(run.stdout, "");
      assert.equal(run.code, 2);
    });
  }
});
