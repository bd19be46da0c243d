// SPDX-License-Identifier: Apache-2.0
// Imported before a command: at its end it says on stderr what was loaded, Node's own parts too, a line each.
import { registerHooks } from "node:module";

const loaded: string[] = [];
registerHooks({
  load(url, context, next) {
    loaded.push(url);
    return next(url, context);
  },
});
process.on("exit", () => {
  const own: unknown = Reflect.get(process, "moduleLoadList");
  const all = [...loaded, ...(Array.isArray(own) ? own : [])];
  process.stderr.write(`\n${all.join("\n")}\n`);
});
