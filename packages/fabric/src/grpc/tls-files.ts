// SPDX-License-Identifier: Apache-2.0
// Certificates from files, read again when they change: short-lived ones are replaced under a running program.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { readRevokedSerials } from "./der.ts";
import { readPem } from "./workload-codec.ts";

/** Paths of PEM files. */
export interface TlsFiles {
  /** Who vouches for peers; may hold several certificates. */
  readonly caFile: string;
  /** Who this end is, with what leads to the authority. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Lists of certificates that are believed no more though their time is not over; none: all that are signed are believed. */
  readonly crlFile?: string;
}

export interface TlsMaterial {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Serials of certificates that are believed no more: hexadecimal, small, without zeros before them. */
  readonly revoked?: ReadonlySet<string>;
}

export interface TlsSource extends Disposable {
  /** What is in force now. */
  read(): TlsMaterial;
  /** Calls the listener with each new material; returns the function that ends it. */
  onChange(listener: (material: TlsMaterial) => void): () => void;
}

/** How often the files are looked at. */
const LOOK_MS = 5_000;

function markOf({ caFile, certFile, keyFile, crlFile }: TlsFiles): string {
  return [caFile, certFile, keyFile, ...(crlFile === undefined ? [] : [crlFile])]
    .map((path) => {
      const { mtimeMs, size, ino } = statSync(path);
      return `${mtimeMs} ${size} ${ino}`;
    })
    .join();
}

function readRevoked(crlFile: string | undefined): Pick<TlsMaterial, "revoked"> {
  if (crlFile === undefined) return {};
  const lists = readPem(readFileSync(crlFile, "utf8"));
  return { revoked: new Set(lists.flatMap(readRevokedSerials)) };
}

/** Throws when key and certificate do not belong together, as they do while only one of them is written. */
function readMaterial({ caFile, certFile, keyFile, crlFile }: TlsFiles): TlsMaterial {
  const [ca, cert, key] = [readFileSync(caFile), readFileSync(certFile), readFileSync(keyFile)];
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw new Error(`${keyFile} is not the key of ${certFile}`);
  return { ca, cert, key, ...readRevoked(crlFile) };
}

/**
 * Opens the files. Throws `invalid_argument` when they cannot be read or do not fit. Later faults keep what was in force:
 * who replaces two files one after the other does no harm.
 */
export function openTlsFiles(files: TlsFiles): TlsSource {
  let mark: string;
  let material: TlsMaterial;
  try {
    mark = markOf(files);
    material = readMaterial(files);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FabricError("invalid_argument", `the certificates cannot be used: ${why}`, {
      cause,
      reason: "certificate",
    });
  }
  const listeners = new Set<(material: TlsMaterial) => void>();

  function look(): void {
    try {
      const now = markOf(files);
      if (now === mark) return;
      material = readMaterial(files);
      mark = now;
    } catch {
      // Being written, or gone for a moment: looked at again.
      return;
    }
    for (const listener of listeners) listener(material);
  }

  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return {
    read: () => {
      look();
      return material;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** A source in which certificates can be revoked besides those that its files name. */
export interface RevokingSource extends TlsSource {
  /** Believes these no more, in place of those before: serials, hexadecimal, small, without zeros before them. */
  setRevoked(serials: ReadonlySet<string>): void;
}

/** Makes one of another source, which goes with it. */
export function createRevokingSource(source: TlsSource): RevokingSource {
  const listeners = new Set<(material: TlsMaterial) => void>();
  let more: ReadonlySet<string> = new Set();
  const join = (material: TlsMaterial): TlsMaterial => ({
    ...material,
    revoked: new Set([...(material.revoked ?? []), ...more]),
  });
  const tell = (material: TlsMaterial): void => {
    for (const listener of listeners) listener(join(material));
  };
  const stop = source.onChange(tell);
  return {
    read: () => join(source.read()),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    setRevoked(serials) {
      more = serials;
      tell(source.read());
    },
    [Symbol.dispose]() {
      stop();
      source[Symbol.dispose]();
    },
  };
}
