// SPDX-License-Identifier: Apache-2.0
// `fairlead policy suggest SCOPE`: the least policies that allow what was seen, as YAML on stdout.
import type { FlowEnd, FlowView } from "@fairlead/protocol/flows.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findScope } from "#cli/find-scope.ts";
import { formatCount } from "#cli/format.ts";
import { makePrintable } from "#cli/printable.ts";
import { suggestPolicies, type Seen, type SeenEnd } from "#policy/suggest.ts";

function toEnd({ scope, service, address }: FlowEnd): SeenEnd {
  return scope === undefined || service === undefined ? { address } : { scope, service };
}

function toSeen({ from, to, protocol, port }: FlowView): Seen {
  const name = to.name === undefined ? {} : { name: to.name };
  return { from: toEnd(from), to: toEnd(to), protocol, port, ...name };
}

function nameEnd(end: SeenEnd): string {
  return "address" in end ? end.address : end.service;
}

/** Writes them to stdout; what was seen and cannot be said in a policy is a warning. 1 when nothing was seen. */
export async function suggest(context: Context, named: string | undefined): Promise<number> {
  const { api, out, parsed } = context;
  const scope = named ?? findScope(context);
  if (scope === undefined)
    throw new FairleadError(cliErrors["missing-argument"], "say for which scope", {
      remedy: "fairlead policy suggest shop > policy.yaml",
    });
  const answer = await api.list<FlowView>("flows", { scope, sinceMs: parsed.timeMs("since") });
  if (answer.partial) out.warn(`! partial: ${answer.missing.join(", ")}`);
  if (answer.items.length === 0) {
    out.note(
      `nothing was seen in ${scope}; look at it for a while: fairlead policy mode watch ${scope}`,
    );
    return EXIT.no;
  }
  const isMeant = ({ verdict }: FlowView): boolean => verdict !== "dropped" || parsed.has("denied");
  const { manifests, leftOut } = suggestPolicies(scope, answer.items.filter(isMeant).map(toSeen));
  const dropped = answer.items.filter((flow) => !isMeant(flow)).length;
  if (dropped > 0)
    out.warn(
      `! left out: ${formatCount(dropped, "flow")} that policy drops; see \`fairlead flows --denied\`, and --denied here allows them too`,
    );
  for (const { seen, why } of leftOut)
    out.warn(
      makePrintable(
        `! left out: ${nameEnd(seen.from)} to ${nameEnd(seen.to)} ${seen.protocol}${seen.port === 0 ? "" : `/${seen.port}`}: ${why}`,
      ),
    );
  const { stringify } = await import("yaml");
  const documents = manifests.map((one) => stringify(one, { lineWidth: 0, compat: "yaml-1.1" }));
  out.line(
    `# What was seen in ${scope} until ${answer.asOf}: ${formatCount(answer.items.length - dropped, "flow")}.`,
  );
  for (const line of documents.join("---\n").trimEnd().split("\n")) out.line(line);
  return answer.partial ? EXIT.unknown : EXIT.ok;
}
