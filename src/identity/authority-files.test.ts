// SPDX-License-Identifier: Apache-2.0
// An authority of the owner's own, as openssl makes it; what is issued by it is held against openssl's own verification.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FairleadError, isKind } from "#base/errors.ts";
import { issueCertificate, makeAuthority, type CertificateFiles } from "#lab/certificates.ts";
import { runProgram } from "#lab/run-program.ts";
import { readAuthorityFiles } from "./authority-files.ts";
import { issueCredential, makeKey } from "./authority.ts";
import { identityErrors } from "./errors.ts";

const KEYS = {
  ec: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"],
  rsa: ["-newkey", "rsa:2048"],
};
const DAY_MS = 86_400_000;

let directory: string;
let root: CertificateFiles;
let middle: CertificateFiles;

const at = (name: string): string => join(directory, name);
const text = (file: string): string => readFileSync(file, "utf8");

function write(name: string, ...parts: readonly string[]): string {
  writeFileSync(at(name), parts.join(""));
  return at(name);
}

/** An authority below another one. */
function makeMiddle(name: string, by: CertificateFiles, kind: keyof typeof KEYS): CertificateFiles {
  const files = { cert: at(`${name}.crt`), key: at(`${name}.key`) };
  const constraints = ["-addext", "basicConstraints=critical,CA:TRUE,pathlen:0"];
  const usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  const wanted = ["-subj", `/CN=${name}`, ...constraints, ...usage, "-keyout", files.key];
  runProgram("openssl", ["req", "-new", ...KEYS[kind], "-nodes", ...wanted, "-out", at("csr")]);
  const signing = ["-CA", by.cert, "-CAkey", by.key, "-copy_extensions", "copy", "-days", "1"];
  runProgram("openssl", ["x509", "-req", "-in", at("csr"), ...signing, "-out", files.cert]);
  return files;
}

before(() => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-authority-"));
  root = makeAuthority(directory, "root");
  middle = makeMiddle("middle", root, "ec");
});
after(() => rmSync(directory, { recursive: true }));

const read = (certFile: string, keyFile: string, caFile = "", nowMs = Date.now()) =>
  readAuthorityFiles({ certFile, keyFile, caFile }, nowMs);

test("openssl believes what an intermediate of the owner's signs, of P-384 and of RSA, and what the root itself does", async () => {
  const rsa = makeMiddle("middle-rsa", root, "rsa");
  const cases = [
    read(middle.cert, middle.key, root.cert),
    read(rsa.cert, rsa.key, root.cert),
    read(write("bundle.crt", text(middle.cert), text(root.cert)), middle.key),
    read(root.cert, root.key),
  ];
  for (const { authority, roots } of cases) {
    const uri = "spiffe://harbour/shop/web";
    const issued = await issueCredential(authority, {
      uri,
      key: await makeKey(),
      nowMs: Date.now(),
    });
    const leaf = write("leaf.crt", issued.certificate);
    const ca = write("ca.crt", ...roots);
    const said = runProgram("openssl", ["verify", "-CAfile", ca, "-untrusted", leaf, leaf]);
    assert.match(said, /leaf\.crt: OK/);
    assert.ok(
      issued.notAfterMs <= new X509Certificate(authority.certificate).validToDate.getTime(),
    );
  }
});

test("files that make certificates which nobody believes are refused, and the message says which and why", () => {
  const leaf = issueCertificate(directory, "leaf", { authority: root, names: ["DNS:leaf"] });
  const other = makeAuthority(directory, "other");
  const secret = ["-aes256", "-passout", "pass:x", "-in", root.key, "-out", at("encrypted.key")];
  runProgram("openssl", ["pkey", ...secret]);
  runProgram("openssl", ["genpkey", "-algorithm", "ed25519", "-out", at("ed.key")]);
  const self = ["req", "-x509", "-key", at("ed.key"), "-subj", "/CN=ed", "-days", "1"];
  runProgram("openssl", [...self, "-out", at("ed.crt")]);
  const mute = ["req", "-x509", "-key", root.key, "-subj", "/CN=mute", "-days", "1"];
  const usage = ["-addext", "keyUsage=critical,digitalSignature"];
  runProgram("openssl", [...mute, ...usage, "-out", at("mute.crt")]);
  const nowMs = Date.now();
  const wrong: readonly (readonly [() => unknown, RegExp])[] = [
    [() => read(at("none"), root.key), /none cannot be read: ENOENT/],
    [() => read("", root.key), /identity\.certFile is not said/],
    [() => read(root.cert, ""), /identity\.keyFile is not said, and .*root\.crt needs its key/],
    [() => read(root.key, root.key), /root\.key has no certificate in PEM/],
    [() => read(root.cert, root.cert), /root\.crt has no private key in PEM/],
    [() => read(root.cert, at("encrypted.key")), /encrypted\.key is encrypted/],
    [
      () => read(root.cert, other.key),
      /other\.key is not the key of .*root\.crt, whose first certificate is CN=root/,
    ],
    [() => read(leaf.cert, leaf.key, root.cert), /leaf\.crt is no authority: CN=leaf may not sign/],
    [
      () => read(root.cert, root.key, "", nowMs + 2 * DAY_MS),
      /root\.crt has run out: CN=root was good until 20/,
    ],
    [
      () => read(root.cert, root.key, "", nowMs - 2 * DAY_MS),
      /root\.crt is not good yet: CN=root begins 20/,
    ],
    [
      () => read(middle.cert, middle.key),
      /middle\.crt ends with CN=middle, which somebody else signed/,
    ],
    [
      () => read(middle.cert, middle.key, other.cert),
      /middle\.crt leads to nobody in .*other\.crt: CN=middle is signed by CN=root/,
    ],
    [
      () => read(write("mixed.crt", text(middle.cert), text(other.cert)), middle.key),
      /mixed\.crt is no chain: CN=middle is not signed by CN=other/,
    ],
    [() => read(at("ed.crt"), at("ed.key")), /ed\.key is neither P-256, P-384 nor RSA/],
  ];
  for (const [attempt, why] of wrong)
    assert.throws(attempt, (thrown) => {
      assert.ok(isKind(thrown, identityErrors["authority-files"]), String(thrown));
      assert.match(FairleadError.from(thrown).message, why);
      return true;
    });
});
