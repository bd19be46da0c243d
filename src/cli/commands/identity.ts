// SPDX-License-Identifier: Apache-2.0
import type { IdentityState, IdentityView } from "@fairlead/protocol/identity.ts";
import { FairleadError } from "#base/errors.ts";
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
};
/** A certificate of a node should have been renewed by then; what others end with is as it should be. */
const ENOUGH_MS = { node: NODE_LEFT_MS, authority: 0, instance: 0 } as const;

/** A container, with its node where there are several; of an authority, who made it. */
function nameHolder({ instance, node, madeBy }: IdentityView): string {
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

/** `fairlead identity ls`, `fairlead identity rotate` and `fairlead identity revoke NODE` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [verb = "", node] = parsed.arguments;
  if (verb === "ls") {
    await out.list(await api.list<IdentityView>("identities"), LIST);
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
  if (node === undefined)
    throw new FairleadError(cliErrors["missing-argument"], "say which node", {
      remedy: "fairlead identity revoke NODE; `fairlead nodes` shows the names",
    });
  await api.call("DELETE", `identities/${encodeURIComponent(node)}`, { query });
  out.note(
    `the certificate of ${node} is believed no more and its connections are cut; if it lives it takes another, on a new key`,
  );
  return EXIT.ok;
}
