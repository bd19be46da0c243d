// SPDX-License-Identifier: Apache-2.0
import type { IdentityState, IdentityView } from "@fairlead/protocol/identity.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Query } from "#cli/api-client.ts";
import { formatLeft, NODE_LEFT_MS, toneOfEnd } from "#cli/certificate-end.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import type { ListView } from "#cli/output.ts";
import { readReason } from "#cli/send-action.ts";
import type { Tone } from "#cli/style.ts";

const TONES: Readonly<Record<IdentityState, Tone>> = {
  signs: "good",
  valid: "good",
  believed: "dim",
  expired: "bad",
  revoked: "bad",
};
/** A certificate of a node should have been renewed by then; what others end with is as it should be. */
const ENOUGH_MS = { node: NODE_LEFT_MS, authority: 0, instance: 0 } as const;

/** A container, with its node where there are several; of an authority, who made it; of what is revoked, when. */
function nameHolder({ instance, node, madeBy, revokedAtMs }: IdentityView): string {
  if (revokedAtMs !== undefined)
    return `given by ${node}, revoked ${formatDuration(Date.now() - revokedAtMs)} ago`;
  if (instance === undefined) return madeBy === undefined ? "" : `made by ${madeBy}`;
  return node === undefined ? instance : `${instance} on ${node}`;
}

const LIST: ListView<IdentityView> = {
  name: ({ uri }) => uri,
  empty: "there are no identities",
  columns: [
    { key: "uri", title: "ID", value: ({ uri }) => uri },
    { key: "kind", title: "KIND", value: ({ kind }) => kind },
    {
      key: "state",
      title: "STATE",
      value: ({ state }) => state,
      tone: ({ state }) => TONES[state],
    },
    {
      key: "ends",
      title: "ENDS IN",
      value: ({ notAfterMs }) => formatLeft(notAfterMs),
      tone: ({ kind, notAfterMs }) => toneOfEnd(notAfterMs, ENOUGH_MS[kind]),
    },
    { key: "of", title: "OF", value: nameHolder },
    { key: "serial", title: "SERIAL", value: ({ serial }) => serial, wide: true },
  ],
};

/** `identities?revoked=true`: those of containers that are believed no more. */
const REVOKED: ListView<IdentityView> = {
  ...LIST,
  empty: "no certificate of a container is revoked that would still be good",
};

/** `fairlead identity revoke NAME`: of a node, a container, or all containers of a service. */
async function revoke({ api, out }: Context, name: string, query: Query): Promise<number> {
  const answer = await api.call<{ readonly items: readonly IdentityView[] }>(
    "DELETE",
    `identities/${encodeURIComponent(name)}`,
    { query },
  );
  const revoked = answer.items.filter(({ state }) => state === "revoked");
  if (revoked.length === 0)
    out.note(
      `the certificate of ${name} is believed no more and its connections are cut; if it lives it takes another, on a new key`,
    );
  for (const { serial, uri, instance = "" } of revoked)
    out.note(
      `${serial} of ${instance} (${uri}) is believed no more; it goes on with another, on a new key`,
    );
  return EXIT.ok;
}

/** `fairlead identity ls`, `fairlead identity rotate` and `fairlead identity revoke NAME` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [verb = "", name] = parsed.arguments;
  if (verb === "ls") {
    const query = parsed.has("revoked") ? { revoked: "true" } : {};
    const answer = await api.list<IdentityView>("identities", query);
    await out.list(answer, parsed.has("revoked") ? REVOKED : LIST);
    return EXIT.ok;
  }
  const query = readReason(context);
  if (verb === "rotate") {
    await api.call("POST", "identities/rotate", { query });
    out.note(
      "a new authority signs; nodes and containers get certificates of it within seconds, what is connected stays",
    );
    return EXIT.ok;
  }
  if (name === undefined)
    throw new FairleadError(cliErrors["missing-argument"], "say whose", {
      remedy:
        "fairlead identity revoke NAME, of a node, a container or a service; `fairlead identity ls` shows them",
    });
  const scope = parsed.text("scope");
  return revoke(context, name, scope === undefined ? query : { ...query, scope });
}
