// SPDX-License-Identifier: Apache-2.0
import { dirname } from "node:path";

const DEFAULT_SOCKET = "/run/fairlead/fairlead.sock";

/** Where the node's fabric is: as the environment says, else beside the API of a node on this machine, in a directory of its own. */
export function findNode(): string {
  const named = process.env["FAIRLEAD_FABRIC"];
  if (named !== undefined && named !== "") return named;
  const api = process.env["FAIRLEAD_SOCKET"] ?? DEFAULT_SOCKET;
  return `unix:${dirname(api)}/fabric/fabric.sock`;
}
