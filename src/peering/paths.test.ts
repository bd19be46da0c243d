// SPDX-License-Identifier: Apache-2.0
// What may lead from a certificate to an authority that is believed, after RFC 5280 and the rules of SPIFFE: each certificate is
// shown to a real port of ours by a client, and to a real client of ours by a server.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readNodeName } from "#identity/verify.ts";
import {
  allow,
  constrain,
  constrainNames,
  makeOddKey,
  nameAs,
  purpose,
  PURPOSES,
  USAGES,
  writeOdd,
  type OddCertificate,
  type OddExtension,
  type OddName,
  type OddStatement,
} from "#lab/odd-certificates.ts";
import { createLabAuthority } from "#lab/peer-credentials.ts";
import { showWhenAsked, showWhenAsking, type Shown } from "#lab/show-certificate.ts";
import { startPeering } from "./start-peering.ts";

const HOUR_MS = 3_600_000;
const URI = "uri:spiffe://lab/fairlead/node/a";
const SIGNS = [constrain(true), allow(USAGES.keyCertSign | USAGES.cRLSign)];
const BOTH = purpose(PURPOSES.server, PURPOSES.client);
const [ENDS, MAY_SIGN] = [constrain(false), allow(USAGES.digitalSignature)];
const NAMED = nameAs(URI);
const LEAF: readonly OddExtension[] = [ENDS, MAY_SIGN, BOTH, NAMED];
const EVERY_USAGE = USAGES.digitalSignature | USAGES.keyCertSign | USAGES.cRLSign;
const PAST = { notAfterMs: Date.now() - 1_000 };
const LATER = { notBeforeMs: Date.now() + HOUR_MS, notAfterMs: Date.now() + 2 * HOUR_MS };
const RSA = makeOddKey(2_048);
const WEAK = makeOddKey(1_024);
/** Nobody knows what it means. */
const UNKNOWN: OddExtension = {
  id: "1.3.6.1.4.1.99999.1",
  critical: true,
  value: Uint8Array.of(5, 0),
};

const root = writeOdd({ subject: "root", extensions: SIGNS });
const rsaRoot = writeOdd({ subject: "rsa root", key: RSA, extensions: SIGNS });
const shortRoot = writeOdd({
  subject: "short root",
  extensions: [constrain(true, 0), allow(USAGES.keyCertSign)],
});
const oldRoot = writeOdd({ subject: "old root", extensions: SIGNS, ...PAST });
const BELIEVED = [root, rsaRoot, shortRoot, oldRoot];

function middle(more: Partial<OddStatement> = {}): OddCertificate {
  return writeOdd({ subject: "middle", by: root, extensions: SIGNS, ...more });
}

/** A leaf with what is above it, and what is other about it. */
function leaf(above: readonly OddCertificate[], more: Partial<OddStatement> = {}): Shown {
  const by = above[0] ?? root;
  const own = writeOdd({ subject: "a", by, extensions: LEAF, ...more });
  const chain = [own, ...above].map(({ certificate }) => certificate);
  return { chain, key: own.key };
}

/** Nothing signed them but they each other. */
function makeLoop(): Shown {
  const [one, two] = [makeOddKey(), makeOddKey()];
  const first = { subject: "one", key: one, certificate: "" };
  const second = writeOdd({ subject: "two", key: two, by: first, extensions: SIGNS });
  return leaf([writeOdd({ subject: "one", key: one, by: second, extensions: SIGNS }), second]);
}

const withName = (...names: readonly OddName[]) => ({
  extensions: [ENDS, MAY_SIGN, BOTH, nameAs(...names)],
});
const single = middle({ extensions: [constrain(true, 0), allow(USAGES.keyCertSign)] });
const below = writeOdd({ subject: "below", by: single, extensions: SIGNS });
const elsewhere = writeOdd({ subject: "root", extensions: SIGNS });

/** Believed in both directions. */
const GOOD: Readonly<Record<string, Shown>> = {
  "straight from an authority": leaf([]),
  "by way of another authority": leaf([middle()]),
  "by way of one that may sign for this host alone": leaf([
    middle({ extensions: [...SIGNS, constrainNames("permitted", "lab")] }),
  ]),
  "by an RSA key of 2048 bits": leaf([], { by: rsaRoot }),
  "below one that no authority may be below": leaf([], { by: shortRoot }),
  "with a name in DNS besides": leaf([], withName("dns:a.lab", URI)),
};

/** The leaf alone, without what is above it. */
function alone({ chain, key }: Shown): Shown {
  return { chain: chain.slice(0, 1), key };
}

function signedByItself(): Shown {
  const { certificate, key } = writeOdd({ subject: "a", extensions: LEAF });
  return { chain: [certificate], key };
}

const [ENDED, EARLY] = [/^CERT_HAS_EXPIRED/, /^CERT_NOT_YET_VALID/];
const NO_ID = /the certificate has no SPIFFE id/;
const UNFIT = /unsuitable certificate purpose/;
const [WEAK_DIGEST, WEAK_LEAF] = [
  /signature digest algorithm too weak/,
  /EE certificate key too weak/,
];

/** Refused in both directions, and why. */
const BAD: Readonly<Record<string, readonly [RegExp, Shown]>> = {
  "the authority in between has run out": [ENDED, leaf([middle(PAST)])],
  "the authority in between begins later": [EARLY, leaf([middle(LATER)])],
  "the authority at the top has run out": [ENDED, leaf([], { by: oldRoot })],
  "it has run out itself": [ENDED, leaf([], PAST)],
  "it begins later": [EARLY, leaf([], LATER)],
  "signed by another end": [/key usage does not include/, leaf([middle({ extensions: LEAF })])],
  "signed by one that is no authority": [
    UNFIT,
    leaf([middle({ extensions: [constrain(false), allow(USAGES.keyCertSign)] })]),
  ],
  "signed by one that does not say whether it is an authority": [
    /INVALID_CA/,
    leaf([middle({ extensions: [allow(USAGES.keyCertSign)] })]),
  ],
  "signed by one of version 1": [UNFIT, leaf([middle({ version: 1 })])],
  "signed by one that may not sign certificates": [
    /key usage does not include certificate signing/,
    leaf([middle({ extensions: [constrain(true), allow(USAGES.cRLSign)] })]),
  ],
  "one authority more than the top allows": [/PATH_LENGTH/, leaf([middle({ by: shortRoot })])],
  "one authority more than the one in between allows": [/PATH_LENGTH/, leaf([below, single])],
  "a host that the one above may not sign for": [
    /permitted subtree violation/,
    leaf([middle({ extensions: [...SIGNS, constrainNames("permitted", "other")] })]),
  ],
  "a host that is taken out for the one above": [
    /excluded subtree violation/,
    leaf([middle({ extensions: [...SIGNS, constrainNames("excluded", "lab")] })]),
  ],
  "the one above is for signing programs": [
    UNFIT,
    leaf([middle({ extensions: [...SIGNS, purpose(PURPOSES.code)] })]),
  ],
  "it is for signing programs": [
    UNFIT,
    leaf([], { extensions: [ENDS, MAY_SIGN, purpose(PURPOSES.code), NAMED] }),
  ],
  "its key may sign certificates and nothing else": [
    UNFIT,
    leaf([], { extensions: [ENDS, allow(USAGES.keyCertSign), BOTH, NAMED] }),
  ],
  "it says something critical that nobody knows": [
    /unhandled critical extension/,
    leaf([], { extensions: [...LEAF, UNKNOWN] }),
  ],
  "the one above says something critical that nobody knows": [
    /unhandled critical extension/,
    leaf([middle({ extensions: [...SIGNS, UNKNOWN] })]),
  ],
  "it is an authority itself": [
    /that of an authority/,
    leaf([], { extensions: [constrain(true), allow(EVERY_USAGE), BOTH, NAMED] }),
  ],
  "its key may sign certificates as well": [
    /that of an authority/,
    leaf([], { extensions: [ENDS, allow(EVERY_USAGE), BOTH, NAMED] }),
  ],
  "its key may sign lists as well": [
    /that of an authority/,
    leaf([], {
      extensions: [ENDS, allow(USAGES.digitalSignature | USAGES.cRLSign), BOTH, NAMED],
    }),
  ],
  "of version 1": [NO_ID, leaf([], { version: 1 })],
  "no other names": [NO_ID, leaf([], { extensions: [ENDS, MAY_SIGN, BOTH] })],
  "only a name in DNS": [NO_ID, leaf([], withName("dns:a.lab"))],
  "two ids": [NO_ID, leaf([], withName(URI, "uri:spiffe://lab/fairlead/node/b"))],
  "an id and another URI": [NO_ID, leaf([], withName(URI, "uri:https://a.lab/"))],
  "the id twice": [NO_ID, leaf([], withName(URI, URI))],
  "other names said twice": [
    /UNABLE_TO_VERIFY_LEAF_SIGNATURE/,
    leaf([], { extensions: [...LEAF, nameAs("dns:a.lab")] }),
  ],
  "a URI that is no id": [NO_ID, leaf([], withName("uri:https://lab/fairlead/node/a"))],
  "an id of another fleet": [
    /and not of lab/,
    leaf([], withName("uri:spiffe://other/fairlead/node/a")),
  ],
  "a name in DNS that looks like two names": [
    NO_ID,
    leaf([], withName(`dns:a.lab, URI:${URI.slice("uri:".length)}`)),
  ],
  "an id that goes on after a zero byte": [NO_ID, leaf([], withName(`${URI}\0.other`))],
  "signed over SHA-1": [WEAK_DIGEST, leaf([], { by: rsaRoot, digest: "sha1" })],
  "signed over SHA-1 by an elliptic key": [WEAK_DIGEST, leaf([], { digest: "sha1" })],
  "signed over MD5": [WEAK_DIGEST, leaf([], { by: rsaRoot, digest: "md5" })],
  "the one above signed over SHA-1": [WEAK_DIGEST, leaf([middle({ by: rsaRoot, digest: "sha1" })])],
  "an RSA key of 1024 bits": [WEAK_LEAF, leaf([], { key: WEAK })],
  "an RSA key of 1024 bits above": [/CA certificate key too weak/, leaf([middle({ key: WEAK })])],
  "two authorities that signed each other": [/UNABLE_TO_GET_ISSUER_CERT/, makeLoop()],
  "a signature that does not fit": [/CERT_SIGNATURE_FAILURE/, leaf([], { isForged: true })],
  "a signature above that does not fit": [
    /CERT_SIGNATURE_FAILURE/,
    leaf([middle({ isForged: true })]),
  ],
  "two digests named": [/CERT_SIGNATURE_FAILURE/, leaf([], { by: rsaRoot, digestSaid: "sha1" })],
  "by another authority of the same name": [/CERT_SIGNATURE_FAILURE/, leaf([], { by: elsewhere })],
  "by another authority, which is shown too": [/CERT_SIGNATURE_FAILURE/, leaf([elsewhere])],
  "signed by itself": [/SELF_SIGNED/, signedByItself()],
  "the one in between is not shown": [/UNABLE_TO_VERIFY/, alone(leaf([middle()]))],
};

const lab = await createLabAuthority();

/** A node that believes these authorities. */
async function startNode() {
  const own = await lab.issue("b");
  const reasons: string[] = [];
  const peering = await startPeering({
    address: "127.0.0.1",
    port: 0,
    onRefused: ({ reason }) => void reasons.push(reason),
    credentials: {
      ...own,
      read: () => ({ ...own.read(), authorities: BELIEVED.map(({ certificate }) => certificate) }),
      identify: async (certificate) => readNodeName(certificate, "lab"),
    },
  });
  peering.answer("/", async () => ({ kind: "value", value: "treasure" }));
  return { peering, reasons };
}

describe("certificates on their way to an authority", () => {
  for (const [what, shown] of Object.entries(GOOD))
    test(`believed: ${what}`, async () => {
      const { peering } = await startNode();
      await using _ = peering;
      assert.equal(await showWhenAsked(peering, "a", shown), undefined);
      assert.equal(await showWhenAsking(peering, "/", shown), undefined);
    });

  for (const [what, [why, shown]] of Object.entries(BAD))
    test(`refused: ${what}`, async () => {
      const { peering, reasons } = await startNode();
      await using _ = peering;
      const asked = await showWhenAsked(peering, "a", shown);
      assert.equal(asked?.slug, "peer-untrusted");
      assert.match(asked.reason, why);
      assert.ok((await showWhenAsking(peering, "/", shown)) !== undefined, "it was answered");
      while (reasons.length === 0) await new Promise((resolve) => setImmediate(resolve));
      // Node's own word for what OpenSSL says in many.
      assert.match(reasons.join(), new RegExp(`${why.source}|^UNSPECIFIED$|^INVALID_PURPOSE$`));
      assert.equal(peering.readCounters()["answered"], 0);
    });

  test("what is for one end only is believed at that end only", async () => {
    const { peering } = await startNode();
    await using _ = peering;
    const only = (id: string) => leaf([], { extensions: [ENDS, MAY_SIGN, purpose(id), NAMED] });
    const [server, client] = [only(PURPOSES.server), only(PURPOSES.client)];
    assert.equal(await showWhenAsked(peering, "a", server), undefined);
    assert.ok((await showWhenAsking(peering, "/", server)) !== undefined);
    assert.equal(await showWhenAsking(peering, "/", client), undefined);
    assert.ok((await showWhenAsked(peering, "a", client)) !== undefined);
  });
});
