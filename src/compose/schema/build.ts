// SPDX-License-Identifier: Apache-2.0
import { flag, key, listOf, object, text, unsupported } from "#compose/shape.ts";
import { child, map, scalar, textOf, type Tree, withEntry } from "#compose/tree.ts";
import {
  command,
  hosts,
  mountedFiles,
  settings,
  texts,
  ulimits,
  wholeSize,
  words,
} from "./forms.ts";

const NEEDS_BUILDKIT = "it needs BuildKit; images are built through the engine's own build call";

/** Whether a build context is fetched by the engine rather than read from this machine. */
function isRemoteContext(context: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/|git@|github\.com\/)/.test(context);
}

function expandBuild(node: Tree): Tree {
  return node.kind === "scalar" && typeof node.value === "string"
    ? map({ context: node }, node.at)
    : node;
}

function resolveContext(node: Tree, resolve: (path: string) => string): Tree {
  if (node.kind !== "map") return node;
  const context = child(node, "context");
  const written = textOf(context) ?? ".";
  if (isRemoteContext(written)) return node;
  return withEntry(node, "context", scalar(resolve(written), context?.at ?? node.at));
}

/** How the image of a service is made. */
export const build = object(
  {
    context: key(text(), "Directory or URL; default the directory of the project."),
    dockerfile: key(text(), "Path below the context; default `Dockerfile`."),
    dockerfile_inline: key(text(), "The Dockerfile itself."),
    args: key(settings, "Build arguments; an empty value comes from the environment."),
    target: key(text(), "Stage to stop at."),
    labels: key(settings, "Labels of the image."),
    cache_from: key(words, "Images to take layers from."),
    extra_hosts: key(hosts, "Names that the build can resolve."),
    network: key(text(), "Network of build steps."),
    shm_size: key(wholeSize, "Size of /dev/shm in build steps."),
    no_cache: key(flag(), "Build every layer again."),
    pull: key(flag(), "Fetch newer base images."),
    tags: key(words, "Further names of the image."),
    platforms: key(words, "Platforms; one is built for, more are not supported."),
    additional_contexts: unsupported(settings, "Further named contexts.", NEEDS_BUILDKIT),
    cache_to: unsupported(texts, "Where to keep layers.", NEEDS_BUILDKIT),
    entitlements: unsupported(words, "Extra rights of the build.", NEEDS_BUILDKIT),
    isolation: unsupported(text(), "Isolation of build steps.", "it is for Windows containers"),
    privileged: unsupported(flag(), "Build steps with all rights.", NEEDS_BUILDKIT),
    provenance: unsupported(text({ loose: "flags" }), "Provenance attestation.", NEEDS_BUILDKIT),
    sbom: unsupported(text({ loose: "flags" }), "Bill of materials.", NEEDS_BUILDKIT),
    secrets: unsupported(mountedFiles("/run/secrets/"), "Secrets of build steps.", NEEDS_BUILDKIT),
    ssh: unsupported(settings, "SSH agent of build steps.", NEEDS_BUILDKIT),
    ulimits: unsupported(ulimits, "Limits of build steps.", NEEDS_BUILDKIT),
  },
  { expand: expandBuild, resolvePaths: resolveContext, words: "a path or a mapping" },
);

/** A list of commands run in a container at a moment of its life. */
export const hooks = listOf(
  object(
    {
      command: key(command, "Command."),
      user: key(text(), "User."),
      privileged: key(flag(), "With all rights."),
      working_dir: key(text(), "Directory."),
      environment: key(settings, "Environment."),
    },
    { required: ["command"] },
  ),
);
