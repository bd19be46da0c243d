// SPDX-License-Identifier: Apache-2.0
// Images made on this machine: no registry is asked.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, copyFileSync, rmSync, symlinkSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { packNodeRoot } from "./node-root.ts";

/** What takes images: an engine's socket. */
interface ImageTaker {
  readonly socketPath: string;
}

const APPLETS = [
  "sh",
  "sleep",
  "cat",
  "echo",
  "true",
  "false",
  "wget",
  "httpd",
  "nc",
  "ls",
  "kill",
  "test",
  "touch",
  "rm",
  "env",
  "head",
  "tail",
  "dd",
  "ps",
  "id",
  "hostname",
  "seq",
  "mkdir",
  "ip",
  "ping",
  "nslookup",
];

/** A root file system with busybox alone, as a tar stream. */
export async function* packBusybox(): AsyncGenerator<Uint8Array> {
  const root = mkdtempSync(join(tmpdir(), "fairlead-lab-"));
  try {
    for (const directory of ["bin", "tmp", "etc"]) mkdirSync(join(root, directory));
    copyFileSync("/bin/busybox", join(root, "bin/busybox"));
    for (const applet of APPLETS) symlinkSync("busybox", join(root, "bin", applet));
    const tar = spawn("tar", ["-C", root, "-c", "."], { stdio: ["ignore", "pipe", "inherit"] });
    yield* tar.stdout as AsyncIterable<Uint8Array>;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** `docker import` of a tar: `POST /images/create?fromSrc=-`. */
export async function importTar(
  engine: ImageTaker,
  reference: string,
  tar: AsyncIterable<Uint8Array>,
  changes: readonly string[] = [],
): Promise<void> {
  const [repo = "", tag = "latest"] = reference.split(":");
  const query = new URLSearchParams({ fromSrc: "-", repo, tag });
  for (const change of changes) query.append("changes", change);
  const { socketPath } = engine;
  await new Promise<void>((resolve, reject) => {
    const sent = request(
      { socketPath, method: "POST", path: `/images/create?${query}` },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () =>
          response.statusCode === 200 && !text.includes('"error"')
            ? resolve()
            : reject(new Error(text)),
        );
      },
    );
    sent.on("error", reject);
    pipeline(tar, sent).catch(reject);
  });
}

/** Brings a busybox image into the engine under `reference`, with a command that runs for ever by default. */
export function importBusybox(
  engine: ImageTaker,
  reference = "busybox:lab",
  command: readonly string[] = ["sleep", "1000000"],
): Promise<void> {
  return importTar(engine, reference, packBusybox(), [
    `CMD ${JSON.stringify(command)}`,
    "ENV PATH=/bin",
  ]);
}

/** Brings an image with this very Node under `reference`; its containers run `script`, and have the files in their root. */
export function importNode(
  engine: ImageTaker,
  reference: string,
  script: string,
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  return importTar(engine, reference, packNodeRoot(files), [
    `CMD ${JSON.stringify(["/usr/local/bin/node", "-e", script])}`,
    "ENV PATH=/usr/local/bin",
  ]);
}
