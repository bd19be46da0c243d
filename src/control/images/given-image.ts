// SPDX-License-Identifier: Apache-2.0
// What nodes tell each other of images.
import { z } from "zod";
import type { ImageDetails } from "#engine/engine.ts";

/** `?reference=`: which image that is here; `null` when there is none. */
export const FIND_PATH = "/images/find";
/** `?id=&from=&prefix=`: the image saved as a tar, from that byte on, if the bytes before have that SHA-256. */
export const GIVE_PATH = "/images/give";

/** An image that a node has. */
export const GivenImage = z.object({
  id: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  /** `linux/amd64`, `linux/arm/v7`. */
  platform: z.string().max(100),
  sizeBytes: z.number().nonnegative(),
  createdAtMs: z.number(),
});
export type GivenImage = z.infer<typeof GivenImage>;

/** What a node says of an image of its engine. */
export function describeImage(details: ImageDetails): GivenImage {
  const { id, os, arch, variant, sizeBytes, createdAtMs } = details;
  const platform = [os, arch, variant].filter((part) => part !== "").join("/");
  return { id, platform, sizeBytes, createdAtMs };
}

/** Kernels' names of architectures, as images name them. */
const ARCHES: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  aarch64: "arm64",
  armv7l: "arm",
  armv6l: "arm",
};

/** The platform of an engine's host in the words of images. */
export function describePlatform(host: { readonly os: string; readonly arch: string }): string {
  return `${host.os}/${ARCHES[host.arch] ?? host.arch}`;
}

/** Whether an image is of the platform that is wanted. What either does not say fits. */
export function fitsPlatform(wanted: string, platform: string): boolean {
  const has = platform.split("/");
  return wanted.split("/").every((part, index) => {
    const own = has[index] ?? "";
    return part === "" || own === "" || (ARCHES[part] ?? part) === own;
  });
}
