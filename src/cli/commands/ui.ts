// SPDX-License-Identifier: Apache-2.0
import { spawn } from "node:child_process";
import type { SignInLink } from "@fairlead/protocol/routes.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";

/** Hands the link to the desktop's browser; resolves to whether there was one to take it. */
function openBrowser(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn("xdg-open", [url], { stdio: "ignore", detached: true });
    child.on("error", () => resolve(false));
    child.on("spawn", () => {
      child.unref();
      resolve(true);
    });
  });
}

/** `fairlead ui` */
export async function run(context: Context): Promise<number> {
  const { api, env, out, parsed } = context;
  const link = await api.call<SignInLink>("POST", "sign-in-links", {
    query: { role: parsed.text("role") },
  });
  await out.document(link, {
    kind: "SignInLink",
    name: (item) => item.url,
    text: (item) => [item.url],
  });
  const { port } = new URL(link.url);
  if (env["SSH_CONNECTION"] !== undefined) {
    out.note(`from another machine first: ssh -L ${port}:127.0.0.1:${port} THIS-HOST`);
  }
  const hasDesktop = env["DISPLAY"] !== undefined || env["WAYLAND_DISPLAY"] !== undefined;
  if (!parsed.has("show-url") && out.forPeople && hasDesktop) await openBrowser(link.url);
  out.note("the link works once, for ten minutes; another: fairlead ui");
  return EXIT.ok;
}
