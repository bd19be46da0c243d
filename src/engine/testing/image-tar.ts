// SPDX-License-Identifier: Apache-2.0
// Archives for the rules: what `docker save` writes, and contexts of builds.
import { createHash } from "node:crypto";
import { packFiles } from "#engine/drivers/docker/tar.ts";

/** Text files by path, as one tar. */
export function packTexts(texts: Readonly<Record<string, string>>): Buffer {
  const owner = { mode: 0o644, uid: 0, gid: 0 };
  const files = Object.entries(texts).map(([path, text]) => {
    return { path, content: Buffer.from(text), ...owner };
  });
  return packFiles(files);
}

/** An image of one layer, in the archive that `docker load` takes. */
export function packImage(reference: string, texts: Readonly<Record<string, string>>): Buffer {
  const layer = packTexts(texts);
  const digest = createHash("sha256").update(layer).digest("hex");
  const config = JSON.stringify({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Cmd: ["/none"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
  });
  const manifest = [{ Config: "config.json", RepoTags: [reference], Layers: ["layer.tar"] }];
  const owner = { mode: 0o644, uid: 0, gid: 0 };
  return packFiles([
    { path: "layer.tar", content: layer, ...owner },
    { path: "config.json", content: Buffer.from(config), ...owner },
    { path: "manifest.json", content: Buffer.from(JSON.stringify(manifest)), ...owner },
  ]);
}

/** Bytes as the stream that the engine's face takes, in pieces. */
export async function* toStream(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const size = 4_096;
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
