// SPDX-License-Identifier: Apache-2.0
import {
  USER_TOKEN_TTL_MS,
  type CreatedUserToken,
  type Role,
  type UserView,
} from "@fairlead/protocol/access.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { formatTime } from "#cli/format.ts";
import type { ListView } from "#cli/output.ts";
import { readReason } from "#cli/send-action.ts";
import type { Tone } from "#cli/style.ts";

const DAY_MS = 86_400_000;
const TONES: Readonly<Record<Role, Tone>> = { viewer: "plain", operator: "plain", admin: "warn" };

/** `3f9a1c77d2e8 (89d), 04bb… (over)` */
function formatTokens({ tokens }: UserView): string {
  const nowMs = Date.now();
  return tokens
    .map(({ id, expired, expiresAtMs }) => {
      const leftMs = expiresAtMs - nowMs;
      const unitMs = leftMs > 2 * DAY_MS ? DAY_MS : 60_000;
      const left = formatDuration(Math.max(unitMs, Math.round(leftMs / unitMs) * unitMs));
      return `${id} (${expired ? "over" : left})`;
    })
    .join(", ");
}

const LIST: ListView<UserView> = {
  name: (item) => item.name,
  empty:
    "there are no users; who reaches the node's unix socket is admin, `fairlead user add NAME --role viewer` lets others in",
  columns: [
    { key: "name", title: "USER", value: (item) => item.name },
    { key: "role", title: "ROLE", value: (item) => item.role, tone: (item) => TONES[item.role] },
    { key: "tokens", title: "TOKENS (LEFT)", value: formatTokens },
    { key: "since", title: "SINCE", value: (item) => formatTime(item.createdAtMs, Date.now()) },
    { key: "by", title: "LET IN BY", value: (item) => item.createdBy },
  ],
};

function needArgument(context: Context, at: 1 | 2, usage: string): string {
  const found = context.parsed.arguments[at];
  if (found !== undefined) return found;
  const what = at === 1 ? "say which user" : "say which token";
  throw new FairleadError(cliErrors["missing-argument"], what, {
    remedy: `${usage}; \`fairlead user ls\` shows what there is`,
  });
}

function readTtl(context: Context): { ttlMs?: number } {
  const ttlMs = context.parsed.durationMs("ttl");
  if (ttlMs === undefined) return {};
  if (ttlMs >= USER_TOKEN_TTL_MS.min && ttlMs <= USER_TOKEN_TTL_MS.max) return { ttlMs };
  throw new FairleadError(cliErrors["bad-value"], "--ttl takes 1m to 366d", {
    facts: { ttl: context.parsed.text("ttl") ?? "" },
  });
}

async function makeToken(context: Context, name: string): Promise<void> {
  const { api, out } = context;
  const body = { ...readTtl(context), ...readReason(context) };
  const created = await api.call<CreatedUserToken>("POST", `users/${name}/tokens`, { body });
  const { user, view } = created;
  await out.document(created, {
    kind: "UserToken",
    name: ({ text }) => text,
    text: ({ text }) => [`FAIRLEAD_TOKEN=${text}`],
  });
  const left = formatDuration(view.expiresAtMs - view.createdAtMs);
  out.note(
    `${name} is ${user.role} with it for ${left}: in the environment of fairlead, on the page, or as \`Authorization: Bearer\`; it is not shown again (fairlead user revoke ${name} ${view.id})`,
  );
}

async function add(context: Context): Promise<void> {
  const { api, out, parsed } = context;
  const usage = "fairlead user add NAME --role viewer|operator|admin";
  const name = needArgument(context, 1, usage);
  const role = parsed.text("role");
  if (role === undefined)
    throw new FairleadError(cliErrors["missing-argument"], `say what ${name} may do`, {
      remedy: usage,
    });
  const path = `users/${encodeURIComponent(name)}`;
  const user = await api.call<UserView>("PUT", path, { body: { role, ...readReason(context) } });
  if (user.tokens.some(({ expired }) => !expired)) {
    out.note(`${name} is ${user.role} from now on, with the tokens and sessions of before too`);
    return;
  }
  await makeToken(context, name);
}

/** `fairlead user ls`, `user add NAME --role ROLE`, `user rm NAME`, `user token NAME` and `user revoke NAME ID` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [verb = ""] = parsed.arguments;
  if (verb === "ls") await out.list(await api.list<UserView>("users"), LIST);
  else if (verb === "add") await add(context);
  else if (verb === "token")
    await makeToken(
      context,
      encodeURIComponent(needArgument(context, 1, "fairlead user token NAME")),
    );
  else if (verb === "rm") {
    const name = needArgument(context, 1, "fairlead user rm NAME");
    const query = readReason(context);
    await api.call("DELETE", `users/${encodeURIComponent(name)}`, { query });
    out.note(`${name} may do nothing any more: tokens and sessions ended`);
  } else {
    const usage = "fairlead user revoke NAME ID";
    const name = needArgument(context, 1, usage);
    const id = needArgument(context, 2, usage);
    const path = `users/${encodeURIComponent(name)}/tokens/${encodeURIComponent(id)}`;
    await api.call("DELETE", path, { query: readReason(context) });
    out.note(`the token ${id} of ${name} opens nothing any more`);
  }
  return EXIT.ok;
}
