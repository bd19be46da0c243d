// SPDX-License-Identifier: Apache-2.0
// The keys of this host, in files that nobody else can read. The next one is made before it is used, so that other hosts
// know it by then. Private keys leave neither the files nor this machine.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { open, readFile, rename, rm, stat } from "node:fs/promises";

/** A key, by its public half. */
export interface TunnelKey {
  readonly publicKey: string;
  readonly madeAtMs: number;
}

export interface TunnelKeys {
  /** File with the private key in use. */
  readonly file: string;
  /** The key in use; made on first use. */
  read(): Promise<TunnelKey>;
  /** The one that is to follow; undefined when none was made. */
  readNext(): Promise<TunnelKey | undefined>;
  /** Makes the one that is to follow, unless there is one. */
  prepareNext(): Promise<TunnelKey>;
  /** Takes the next one in use; at once, or not at all. */
  switchToNext(): Promise<void>;
}

/** Before the 32 bytes of a private key of X25519 (RFC 8410). */
const PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const KEY_BYTES = 32;

function derivePublic(secret: string): string | undefined {
  const bytes = Buffer.from(secret, "base64");
  if (bytes.length !== KEY_BYTES) return undefined;
  const der = Buffer.concat([PREFIX, bytes]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const exported = createPublicKey(key).export({ format: "der", type: "spki" });
  return exported.subarray(-KEY_BYTES).toString("base64");
}

async function readKey(path: string): Promise<TunnelKey | undefined> {
  try {
    const publicKey = derivePublic(await readFile(path, "utf8"));
    const { mtimeMs } = await stat(path);
    return publicKey === undefined ? undefined : { publicKey, madeAtMs: Math.round(mtimeMs) };
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
    throw thrown;
  }
}

async function makeKey(path: string): Promise<TunnelKey> {
  const { privateKey } = generateKeyPairSync("x25519");
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  const secret = der.subarray(-KEY_BYTES).toString("base64");
  const unfinished = `${path}.new`;
  // What is cut off here is written over the next time.
  await rm(unfinished, { force: true });
  const file = await open(unfinished, "wx", 0o600);
  try {
    await file.writeFile(`${secret}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  const made = await readKey(path);
  if (made === undefined) throw new Error(`${path} went away`);
  return made;
}

/** Keys in a file and, while one is to follow, one beside it. Throws what the file system throws. */
export function openTunnelKeys(file: string): TunnelKeys {
  const next = `${file}.next`;
  return {
    file,
    read: async () => (await readKey(file)) ?? makeKey(file),
    readNext: () => readKey(next),
    prepareNext: async () => (await readKey(next)) ?? makeKey(next),
    switchToNext: () => rename(next, file),
  };
}
