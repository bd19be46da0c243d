// SPDX-License-Identifier: Apache-2.0
import { type Infer, key, listOf, object, recordOf, text, unsupported } from "#compose/shape.ts";
import { map, type Tree } from "#compose/tree.ts";
import { path, pathOrPaths } from "./forms.ts";
import { config, model, MODELS_UNSUPPORTED, network, secret, volume } from "./resources.ts";
import { service } from "./service.ts";

const NAMES = {
  keyPattern: /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$/,
  keyForm: "a name: letters, digits, . _ -, beginning with a letter or digit, at most 128",
};
const RESOURCE_NAMES = {
  keyPattern: /^[a-zA-Z0-9._-]+$/,
  keyForm: "a name of letters, digits, . _ -",
};

function expandInclude(node: Tree): Tree {
  return node.kind === "scalar" && typeof node.value === "string"
    ? map({ path: node }, node.at)
    : node;
}

const include = listOf(
  object(
    {
      path: key(pathOrPaths, "Files, merged in order."),
      project_directory: key(
        path,
        "Directory that their relative paths start from; default that of the first.",
      ),
      env_file: key(pathOrPaths, "Files of variables for them; default `.env` in that directory."),
    },
    { extensible: false, expand: expandInclude, words: "a path or a mapping" },
  ),
);

/** A Compose file. */
export const project = object({
  name: key(text(), "Name of the project, which is the scope; default the name of the directory."),
  version: key(text(), "Without effect, as the specification says."),
  services: key(recordOf(service, NAMES), "Services by name."),
  networks: key(recordOf(network, RESOURCE_NAMES), "Networks by key."),
  volumes: key(recordOf(volume, RESOURCE_NAMES), "Volumes by key."),
  configs: key(recordOf(config, RESOURCE_NAMES), "Configs by key."),
  secrets: key(recordOf(secret, RESOURCE_NAMES), "Secrets by key."),
  include: key(include, "Other Compose files whose resources are taken over."),
  models: unsupported(recordOf(model, RESOURCE_NAMES), "AI models.", MODELS_UNSUPPORTED),
});

/** What a Compose file may say, after short forms are expanded. */
export type ProjectFile = Infer<typeof project>;
