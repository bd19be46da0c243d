// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { RightsOutcome, RightsVerdict, RightsView } from "@fairlead/protocol/rights.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { needScope } from "#cli/find-scope.ts";
import type { DocumentView, ListView } from "#cli/output.ts";
import { readReason } from "#cli/send-action.ts";
import type { Tone } from "#cli/style.ts";

const LIST: ListView<RightsView> = {
  name: (item) => item.name,
  empty:
    "there are no rights: agents of a scope may do everything with each other; `fairlead rights apply -f FILE.cedar` changes that",
  columns: [
    { key: "scope", title: "SCOPE", value: (item) => item.scope },
    { key: "name", title: "NAME", value: (item) => item.name },
    { key: "policies", title: "POLICIES", value: (item) => item.policies.join(", ") },
  ],
};

const WORDS: Readonly<Record<RightsOutcome, readonly [word: string, tone: Tone]>> = {
  allow: ["✓ YES", "good"],
  alert: ["! YES, and told", "warn"],
  ask: ["? ASKS a person", "warn"],
  deny: ["✗ NO", "bad"],
};

const VERDICT: DocumentView<RightsVerdict> = {
  kind: "RightsVerdict",
  name: ({ outcome }) => outcome,
  text: ({ outcome, identity, policies, context, because }, style) => {
    const [word, tone] = WORDS[outcome];
    const usual = `usual ${context.usualPerMinute}, ${context.timesUsual} times that`;
    return [
      `${style.paint(word, tone)}  ${because}`,
      "",
      `  1 identity  ${identity}`,
      `  2 policy    ${policies.length === 0 ? "none matches" : policies.join(", ")}`,
      `  3 context   ${context.perMinute} a minute (${usual})${context.newPeer ? ", a new peer" : ""}, ${context.hourUtc}:00 UTC`,
      `  4 audit     ${outcome === "allow" ? "nothing to write" : "a decision and a line of the audit log"}`,
    ];
  },
};

/** No too, when a person's yes does not help. */
function toExitCode({ outcome }: RightsVerdict): number {
  return outcome === "allow" || outcome === "alert" ? EXIT.ok : EXIT.no;
}

function need(context: Context, at: number, usage: string): string {
  const found = context.parsed.arguments[at];
  if (found !== undefined) return found;
  throw new FairleadError(cliErrors["missing-argument"], `say more: ${usage}`, { remedy: usage });
}

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const because = cause instanceof Error ? cause.message : String(cause);
    throw new FairleadError(cliErrors["unreadable-file"], `cannot read ${path}`, {
      cause,
      facts: { because },
    });
  }
}

/** `CALLER TARGET[/METHOD]`; with `--action` a subject, which has no method. */
function readQuestion(context: Context, usage: string) {
  const { parsed } = context;
  const caller = need(context, 1, usage);
  const asked = need(context, 2, usage);
  const action = parsed.text("action") ?? "call";
  const [target = "", ...method] = action === "call" ? asked.split("/") : [asked];
  const scope = needScope(context);
  return { scope, caller, action, target, method: method.join("/") };
}

async function apply(context: Context): Promise<void> {
  const { api, out, parsed } = context;
  const path = parsed.text("file");
  if (path === undefined)
    throw new FairleadError(cliErrors["missing-argument"], "say which file", {
      remedy: "fairlead rights apply -f FILE.cedar",
    });
  const name =
    parsed.text("name") ??
    basename(path)
      .replace(/\.cedar$/, "")
      .toLowerCase()
      .replaceAll(/[^a-z0-9._-]+/g, "-");
  const scope = needScope(context);
  const body = { scope, name, text: readFile(path), ...readReason(context) };
  const view = await api.call<RightsView>("PUT", "rights", { body });
  out.note(
    `${scope}/${name} is in force: ${view.policies.join(", ")}; what none permits is refused`,
  );
}

/** `fairlead rights ls`, `apply -f FILE`, `rm NAME`, `test CALLER TARGET[/METHOD]`, `allow CALLER TARGET[/METHOD] --for 1h` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [verb = ""] = parsed.arguments;
  if (verb === "ls") await out.list(await api.list<RightsView>("rights"), LIST);
  else if (verb === "apply") await apply(context);
  else if (verb === "rm") {
    const name = need(context, 1, "fairlead rights rm NAME");
    const scope = needScope(context);
    await api.call("DELETE", `rights/${encodeURIComponent(scope)}/${encodeURIComponent(name)}`, {
      query: readReason(context),
    });
    out.note(`${scope}/${name} is gone`);
  } else if (verb === "test") {
    const usage = "fairlead rights test CALLER TARGET/METHOD";
    const body = readQuestion(context, usage);
    const verdict = await api.call<RightsVerdict>("POST", "rights/test", { body });
    await out.document(verdict, VERDICT);
    return toExitCode(verdict);
  } else {
    const usage = "fairlead rights allow CALLER TARGET/METHOD --for 1h";
    const question = readQuestion(context, usage);
    const body = {
      ...question,
      forMs: parsed.durationMs("for") ?? 3_600_000,
      ...readReason(context),
    };
    const verdict = await api.call<RightsVerdict>("POST", "rights/grants", { body });
    await out.document(verdict, VERDICT);
    return toExitCode(verdict);
  }
  return EXIT.ok;
}
