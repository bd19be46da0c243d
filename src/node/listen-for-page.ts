// SPDX-License-Identifier: Apache-2.0

/** Opens the page's listener where the settings say; its address, or undefined for `off`. */
export async function listenForPage(
  listen: string,
  api: { listenTcp(host: string, port: number): Promise<{ port: number }> },
): Promise<string | undefined> {
  if (listen === "off") return undefined;
  const at = listen.lastIndexOf(":");
  const host = listen.slice(0, at).replace(/^\[|\]$/g, "");
  const { port } = await api.listenTcp(host, Number(listen.slice(at + 1)));
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
