// SPDX-License-Identifier: Apache-2.0
import type { Api } from "#api/create-api.ts";
import type { ApiTls } from "#api/listeners.ts";

/** Opens the page's listener where the settings say; its address, or undefined for `off`. */
export async function listenForPage(
  listen: string,
  api: Pick<Api, "listenTcp">,
  openTls: (host: string) => Promise<ApiTls | undefined>,
): Promise<string | undefined> {
  if (listen === "off") return undefined;
  const at = listen.lastIndexOf(":");
  const host = listen.slice(0, at).replace(/^\[|\]$/g, "");
  const { origin } = await api.listenTcp(host, Number(listen.slice(at + 1)), await openTls(host));
  return origin;
}
