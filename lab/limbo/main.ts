// SPDX-License-Identifier: Apache-2.0
// `npm run limbo -- FILE`: shows a node every certificate of a limbo.json (https://github.com/C2SP/x509-limbo), in handshakes: as a
// server where the case is one of a server, else as a client. Whether paths are judged as the file wants; who is named is not a
// node's question but the id, which no certificate of the file has. Tells what was judged otherwise.
import { existsSync, readFileSync } from "node:fs";
import { checkServerIdentity } from "node:tls";
import { z } from "zod";
import { FairleadError } from "#base/errors.ts";
import { identityErrors } from "#identity/errors.ts";
import { createLabAuthority } from "#lab/peer-credentials.ts";
import { showWhenAsked, showWhenAsking } from "#lab/show-certificate.ts";
import { startPeering } from "#peering/start-peering.ts";
import { runScript } from "../../scripts/run-script.ts";

const Case = z.object({
  id: z.string(),
  validation_kind: z.enum(["SERVER", "CLIENT"]),
  trusted_certs: z.array(z.string()),
  untrusted_intermediates: z.array(z.string()),
  peer_certificate: z.string(),
  peer_certificate_key: z.string().nullable(),
  validation_time: z.string().nullable(),
  expected_result: z.enum(["SUCCESS", "FAILURE"]),
  expected_peer_name: z.object({ kind: z.string(), value: z.string() }).nullable(),
  crls: z.array(z.string()).default([]),
});
type Case = z.infer<typeof Case>;
const Limbo = z.object({ testcases: z.array(Case) });

/** A clock that stands still is as good as this. */
const SAME_MS = 1;

/** Why a case cannot be shown by a handshake now. */
function whyNot(one: Case): string | undefined {
  if (one.peer_certificate_key === null) return "it comes without the key";
  const atMs = one.validation_time === null ? undefined : Date.parse(one.validation_time);
  if (atMs !== undefined && Math.abs(atMs - Date.now()) > SAME_MS)
    return "it is about another time than now (faketime)";
  if (one.crls.length > 0) return "it is about a list of revoked certificates";
  return undefined;
}

/** What was judged; `reason` is undefined when the certificate was believed. */
interface Verdict {
  readonly reason: string | undefined;
}

/** Names are checked as the fabric does with peers that have no id: by Node's rule. */
async function judge(one: Case): Promise<Verdict> {
  const lab = await createLabAuthority();
  const own = await lab.issue("b");
  const { expected_peer_name: name } = one;
  const isServer = one.validation_kind === "SERVER";
  await using node = await startPeering({
    address: "127.0.0.1",
    port: 0,
    credentials: {
      ...own,
      read: () => ({ ...own.read(), authorities: one.trusted_certs }),
      async identify(shown) {
        if (!isServer || name === null) return "a";
        const wrong = checkServerIdentity(name.value, shown.toLegacyObject());
        if (wrong !== undefined)
          throw new FairleadError(identityErrors["certificate-refused"], wrong.message);
        return "a";
      },
    },
  });
  node.answer("/", async () => ({ kind: "value", value: 1 }));
  const chain = [one.peer_certificate, ...one.untrusted_intermediates];
  const shown = { chain, key: one.peer_certificate_key ?? "" };
  if (!isServer) return { reason: await showWhenAsking(node, "/", shown) };
  return { reason: (await showWhenAsked(node, "a", shown))?.reason };
}

/** Shows all of them; what became of it as people read it. */
async function showAll(testcases: readonly Case[]): Promise<string> {
  const notShown = new Map<string, string[]>();
  const otherwise: string[] = [];
  let agreed = 0;
  for (const one of testcases) {
    let why = whyNot(one);
    try {
      if (why === undefined) {
        const { reason } = await judge(one);
        const isAsWanted = (reason === undefined) === (one.expected_result === "SUCCESS");
        if (isAsWanted) agreed++;
        else otherwise.push(`  ${one.id}  wanted ${one.expected_result}: ${reason ?? "believed"}`);
      }
    } catch (thrown) {
      why = `OpenSSL does not load it: ${FairleadError.from(thrown).message}`;
    }
    if (why !== undefined) notShown.set(why, [...(notShown.get(why) ?? []), one.id]);
  }
  const lines = [`${agreed} as wanted, ${otherwise.length} otherwise`, ...otherwise];
  for (const [why, ids] of notShown)
    lines.push(`${ids.length} not shown, as ${why}`, ...ids.map((id) => `  ${id}`));
  return lines.join("\n");
}

const USAGE =
  "usage: npm run limbo -- FILE\n\nFILE is a limbo.json of https://github.com/C2SP/x509-limbo\n";

/** The file that is meant. */
function readWords([path, ...rest]: readonly string[]): string {
  if (path === undefined || rest.length > 0) throw new TypeError("say which file");
  if (existsSync(path)) return path;
  throw new TypeError(`there is no ${path}`);
}

async function run(path: string): Promise<number> {
  const { testcases } = Limbo.parse(JSON.parse(readFileSync(path, "utf8")));
  process.stdout.write(`${await showAll(testcases)}\n`);
  return 0;
}

process.exit(await runScript(process.argv.slice(2), { usage: () => USAGE, read: readWords, run }));
