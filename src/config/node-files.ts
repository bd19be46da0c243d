// SPDX-License-Identifier: Apache-2.0
// Every file that a node makes, in one list: the node takes their paths from it, and `uninstall` removes what is in it.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Settings } from "./settings.ts";

/** What decides where a node keeps its things. */
export interface NodePlaces {
  readonly stateDir: string;
  readonly socket: string;
  readonly fabricSocket: string;
}

export interface NodeFiles extends NodePlaces {
  /** Directory of the store's files. */
  readonly store: string;
  /** Directory of the messages that are kept, and the file in it. */
  readonly messages: string;
  readonly messageLog: string;
  readonly token: string;
  readonly fabricSecret: string;
  /** Directory of the audit log, and the key that signs its heads. */
  readonly audit: string;
  readonly auditKey: string;
  /** What the node made itself for the API, and its key. */
  readonly apiCertificate: string;
  readonly apiKey: string;
  /** This host's key for encrypted networks; the one that is to follow lies beside it. */
  readonly tunnelKey: string;
  /** Who vouches for the fleet's store, as the join token said. */
  readonly fleetCa: string;
  /** With what the tickets of agents are signed in a fleet. */
  readonly fleetScopes: string;
  /** What a node in the background writes. */
  readonly log: string;
  /** Directories that were not there before, one a line. */
  readonly made: string;
  /** The socket that containers see, in a directory of its own. */
  readonly containersSocket: string;
  /** Directory of the guarded Docker APIs. Its mode keeps other users of this host out; containers have what is in it. */
  readonly dockerSockets: string;
  /** Directory of what each container sees of its node; others are kept out alike. */
  readonly places: string;
}

/** Where a node with these settings keeps its things. */
export function findPlaces({ stateDir, socket, fabric }: Settings): NodePlaces {
  const fabricSocket =
    fabric.socket === "" ? join(dirname(socket), "fabric", "fabric.sock") : fabric.socket;
  return { stateDir, socket, fabricSocket };
}

/** The paths; nothing is touched. */
export function locateNodeFiles(places: NodePlaces): NodeFiles {
  const { stateDir, fabricSocket } = places;
  const messages = join(stateDir, "messages");
  return {
    ...places,
    store: join(stateDir, "store"),
    messages,
    messageLog: join(messages, "log.db"),
    token: join(stateDir, "token"),
    fabricSecret: join(stateDir, "fabric-secret"),
    audit: join(stateDir, "audit"),
    auditKey: join(stateDir, "audit-key.pem"),
    apiCertificate: join(stateDir, "api-cert.pem"),
    apiKey: join(stateDir, "api-key.pem"),
    tunnelKey: join(stateDir, "tunnel-key"),
    fleetCa: join(stateDir, "fleet-ca.pem"),
    fleetScopes: join(stateDir, "fleet-scopes"),
    log: join(stateDir, "node.log"),
    made: join(stateDir, "made"),
    containersSocket: join(dirname(fabricSocket), "containers", "fabric.sock"),
    dockerSockets: join(dirname(fabricSocket), "docker"),
    places: join(dirname(fabricSocket), "places"),
  };
}

/** What SQLite and the store put beside their databases: logs, marks, damaged ones that were moved aside. */
const STORE_NAMES = /^store\.(db|mark|pid)(-(wal|shm|journal))?(\.corrupt-.*)?$/;
const AUDIT_NAMES = /^audit-\d{12}\.jsonl$/;
const MESSAGES_NAMES = /^log\.db(-(wal|shm|journal))?$/;

function listNames(directory: string, names: RegExp): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => names.test(name))
    .map((name) => join(directory, name));
}

/** Files of a node that exist. */
export function listNodeFiles(files: NodeFiles): readonly string[] {
  const single = [
    files.token,
    files.fabricSecret,
    files.auditKey,
    files.apiCertificate,
    files.apiKey,
    files.tunnelKey,
    `${files.tunnelKey}.next`,
    files.fleetCa,
    files.fleetScopes,
    files.log,
    files.made,
    files.socket,
    files.fabricSocket,
    files.containersSocket,
  ].filter((path) => existsSync(path));
  return [
    ...listNames(files.store, STORE_NAMES),
    ...listNames(files.messages, MESSAGES_NAMES),
    ...listNames(files.audit, AUDIT_NAMES),
    ...single,
  ];
}

/** Directories that were made for the files and exist, the inner ones first. Others were there before. */
export function listMadeDirectories({ made }: NodeFiles): readonly string[] {
  try {
    const directories = new Set(readFileSync(made, "utf8").split("\n"));
    return [...directories]
      .filter((path) => path.startsWith("/") && existsSync(path))
      .sort((a, b) => b.length - a.length);
  } catch {
    return [];
  }
}

/** Makes every directory that is missing and notes which were: those, and no others, are removed by `uninstall`. */
export function makeNodeDirectories(files: NodeFiles): void {
  const made: string[] = [];
  const make = (path: string, mode: number): void => {
    const first = mkdirSync(path, { recursive: true, mode });
    if (first === undefined) return;
    for (let at = path; at.length >= first.length; at = dirname(at)) made.push(at);
  };
  make(files.stateDir, 0o700);
  make(files.store, 0o700);
  make(files.messages, 0o700);
  make(files.audit, 0o700);
  for (const socket of [files.socket, files.fabricSocket, files.containersSocket])
    make(dirname(socket), 0o755);
  make(files.dockerSockets, 0o700);
  make(files.places, 0o700);
  if (made.length === 0) return;
  const before = listMadeDirectories(files);
  writeFileSync(files.made, `${[...new Set([...before, ...made])].join("\n")}\n`, { mode: 0o600 });
}
