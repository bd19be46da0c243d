// SPDX-License-Identifier: Apache-2.0
import type { CanAnswer, CanProof, CanRequest, PolicyStep } from "@fairlead/protocol/policy.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findScope } from "#cli/find-scope.ts";
import { formatCount } from "#cli/format.ts";
import { makePrintable } from "#cli/printable.ts";
import type { Style, Tone } from "#cli/style.ts";

const HEADS: Readonly<Record<CanAnswer["answer"], { readonly word: string; readonly tone: Tone }>> =
  {
    yes: { word: "YES", tone: "good" },
    no: { word: "NO", tone: "bad" },
    disagree: { word: "THE PROOFS DISAGREE", tone: "bad" },
    unknown: { word: "UNKNOWN", tone: "warn" },
  };

const CODES: Readonly<Record<CanAnswer["answer"], number>> = {
  yes: EXIT.ok,
  no: EXIT.no,
  disagree: EXIT.unknown,
  unknown: EXIT.unknown,
};

/** `db:5432`, `[fd00::1]:53` or a name alone. Throws FL0605 `bad-value`. */
export function readTarget(text: string): { readonly name: string; readonly port?: number } {
  const [, bracketed, tail] = /^\[([^\]]+)\](?::(.*))?$/.exec(text) ?? [];
  const [, plain, end] = /^([^:]+)(?::([^:]*))?$/.exec(text) ?? [];
  const name = bracketed ?? plain ?? text;
  const digits = tail ?? end;
  if (digits === undefined) return { name };
  const port = /^\d+$/.test(digits) ? Number(digits) : 0;
  if (port >= 1 && port <= 65_535) return { name, port };
  throw new FairleadError(cliErrors["bad-value"], `"${digits}" is no port`, {
    remedy: "write a port from 1 to 65535 behind the name: db:5432",
  });
}

function readRequest({ parsed }: Context, scope: string | undefined): CanRequest {
  const [from = "", target = ""] = parsed.arguments;
  const { name, port } = readTarget(target);
  const protocol = parsed.has("icmp")
    ? "ICMP"
    : parsed.has("udp")
      ? "UDP"
      : parsed.has("sctp")
        ? "SCTP"
        : "TCP";
  if (port === undefined && protocol !== "ICMP")
    throw new FairleadError(cliErrors["missing-argument"], "say on which port", {
      remedy: `fairlead can ${from} ${name}:80, or --icmp`,
    });
  return {
    from,
    to: name,
    protocol,
    probe: !parsed.has("no-probe"),
    ...(scope === undefined ? {} : { scope }),
    ...(port === undefined || protocol === "ICMP" ? {} : { port }),
  };
}

function describeEnd({ scope, service, instances }: CanAnswer["from"]): string {
  const name = makePrintable(service);
  if (scope === "") return name;
  return `${name} (${makePrintable(scope)}, ${formatCount(instances, "instance")})`;
}

function describeStep({ direction, verdict, policy, at }: PolicyStep): string {
  const place = at === undefined ? "" : `  ${at.file}${at.line === undefined ? "" : `:${at.line}`}`;
  const by = policy === undefined ? "no policy isolates it" : `policy ${policy}${place}`;
  return makePrintable(`${direction.padEnd(7)}  ${verdict.padEnd(5)}  ${by}`);
}

function renderProof(name: string, proof: CanProof, style: Style): string[] {
  const tone: Tone = proof.verdict === "allow" ? "good" : proof.verdict === "deny" ? "bad" : "warn";
  const head = `  ${name.padEnd(10)}  ${style.paint(proof.verdict.padEnd(7), tone)}  `;
  const indent = " ".repeat(23);
  const lines = [
    ...(proof.detail === "" ? [] : [makePrintable(proof.detail)]),
    ...(proof.steps ?? []).map(describeStep),
  ];
  return lines.map((line, index) => `${index === 0 ? head : indent}${line}`);
}

function renderCan(answer: CanAnswer, style: Style): string[] {
  const { word, tone } = HEADS[answer.answer];
  const { protocol, port, from, to } = answer;
  const what = port === undefined ? protocol.toLowerCase() : `${protocol.toLowerCase()}/${port}`;
  return [
    `${style.mark(tone)} ${style.paint(word, tone)}   ${describeEnd(from)} -> ${describeEnd(to)} ${what}`,
    "",
    ...renderProof("declared", answer.declared, style),
    ...renderProof("installed", answer.installed, style),
    ...renderProof("probed", answer.probed, style),
  ];
}

/** `fairlead can FROM TO:PORT`: 0 yes, 1 no, 3 when the proofs disagree or nothing is known. */
export async function run(context: Context): Promise<number> {
  const { api, out } = context;
  const body = readRequest(context, findScope(context));
  const answer = await api.call<CanAnswer>("POST", "can", { body });
  await out.document(answer, {
    kind: "CanAnswer",
    name: (item) => item.answer,
    text: renderCan,
  });
  return CODES[answer.answer];
}
