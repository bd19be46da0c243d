// SPDX-License-Identifier: Apache-2.0
import type { CreatedToken, TokenState, TokenView } from "@fairlead/protocol/tokens.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import type { ListView } from "#cli/output.ts";
import { readReason } from "#cli/send-action.ts";
import type { Tone } from "#cli/style.ts";

const TONES: Readonly<Record<TokenState, Tone>> = {
  valid: "good",
  used: "dim",
  expired: "dim",
  revoked: "warn",
};

function formatSeconds(spanMs: number): string {
  return formatDuration(Math.round(Math.max(0, spanMs) / 1_000) * 1_000);
}

function formatEnd({ expiresAtMs, state }: TokenView): string {
  return state === "valid" ? formatSeconds(expiresAtMs - Date.now()) : "";
}

const LIST: ListView<TokenView> = {
  name: (item) => item.id,
  empty: "there are no tokens; `fairlead token create` makes one",
  columns: [
    { key: "id", title: "TOKEN", value: (item) => item.id },
    {
      key: "state",
      title: "STATE",
      value: (item) => item.state,
      tone: (item) => TONES[item.state],
    },
    { key: "uses", title: "USES LEFT", value: (item) => `${item.usesLeft}/${item.usesMax}` },
    { key: "ends", title: "ENDS IN", value: formatEnd },
    { key: "nodes", title: "JOINED", value: (item) => item.nodes.join(", ") },
    { key: "by", title: "MADE BY", value: (item) => item.createdBy },
  ],
};

const LOOPBACK = /^(?:\w+:\/\/)?(127\.|localhost:|\[::1\])/;

function readUses(context: Context): { uses?: number } {
  const uses = context.parsed.count("uses");
  if (uses === undefined) return {};
  if (uses >= 1 && uses <= 1_000) return { uses };
  throw new FairleadError(cliErrors["bad-value"], "--uses takes 1 to 1000", { facts: { uses } });
}

function readTtl(context: Context): { ttlMs?: number } {
  const ttlMs = context.parsed.durationMs("ttl");
  if (ttlMs === undefined) return {};
  if (ttlMs >= 60_000 && ttlMs <= 86_400_000) return { ttlMs };
  throw new FairleadError(cliErrors["bad-value"], "--ttl takes 1m to 24h", {
    facts: { ttl: context.parsed.text("ttl") ?? "" },
  });
}

async function create(context: Context): Promise<void> {
  const { api, out, parsed } = context;
  const store = parsed.text("store");
  const body = {
    ...readTtl(context),
    ...readUses(context),
    ...(store === undefined ? {} : { endpoints: store.split(",") }),
    ...readReason(context),
  };
  const created = await api.call<CreatedToken>("POST", "tokens", { body });
  if (created.endpoints.every((endpoint) => LOOPBACK.test(endpoint)))
    out.warn(
      `warning: ${created.endpoints.join(",")} is reached from this host only; --store HOST:PORT says where others reach the store`,
    );
  await out.document(created, {
    kind: "JoinToken",
    name: ({ text }) => text,
    text: ({ text }) => [`fairlead join ${text}`],
  });
  const { view, fleet } = created;
  const hosts = view.usesMax === 1 ? "one host" : `${view.usesMax} hosts`;
  out.note(
    `run this on ${hosts} within ${formatSeconds(view.expiresAtMs - view.createdAtMs)} to join ${fleet}; it is not shown again (fairlead token revoke ${view.id})`,
  );
}

/** `fairlead token create`, `fairlead token ls` and `fairlead token revoke ID` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [verb = "", id] = parsed.arguments;
  if (verb === "create") await create(context);
  else if (verb === "ls") await out.list(await api.list<TokenView>("tokens"), LIST);
  else {
    if (id === undefined)
      throw new FairleadError(cliErrors["missing-argument"], "say which token", {
        remedy: "fairlead token revoke ID; `fairlead token ls` shows the ids",
      });
    const query = readReason(context);
    await api.call<TokenView>("DELETE", `tokens/${encodeURIComponent(id)}`, { query });
    out.note(`nobody joins with ${id} any more; who has joined stays`);
  }
  return EXIT.ok;
}
