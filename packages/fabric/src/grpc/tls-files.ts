// SPDX-License-Identifier: Apache-2.0
// Certificates from files, read again when they change: short-lived ones are replaced under a running program.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { FabricError } from "@fairlead/fabric/errors.ts";

/** Paths of PEM files. */
export interface TlsFiles {
  /** Who vouches for peers; may hold several certificates. */
  readonly caFile: string;
  /** Who this end is, with what leads to the authority. */
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TlsMaterial {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface TlsSource extends Disposable {
  /** What is in force now. */
  read(): TlsMaterial;
  /** Calls the listener with each new material. */
  onChange(listener: (material: TlsMaterial) => void): void;
}

/** How often the files are looked at. */
const LOOK_MS = 5_000;

function markOf({ caFile, certFile, keyFile }: TlsFiles): string {
  return [caFile, certFile, keyFile]
    .map((path) => {
      const { mtimeMs, size, ino } = statSync(path);
      return `${mtimeMs} ${size} ${ino}`;
    })
    .join();
}

/** Throws when key and certificate do not belong together, as they do while only one of them is written. */
function readMaterial({ caFile, certFile, keyFile }: TlsFiles): TlsMaterial {
  const [ca, cert, key] = [readFileSync(caFile), readFileSync(certFile), readFileSync(keyFile)];
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw new Error(`${keyFile} is not the key of ${certFile}`);
  return { ca, cert, key };
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
  const listeners: ((material: TlsMaterial) => void)[] = [];

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
    onChange: (listener) => void listeners.push(listener),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
