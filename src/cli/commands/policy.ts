// SPDX-License-Identifier: Apache-2.0
import type { PolicyRequest, PolicyView } from "@fairlead/protocol/policy.ts";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findScope } from "#cli/find-scope.ts";
import { formatCount } from "#cli/format.ts";
import type { Envelope, ListView } from "#cli/output.ts";
import { readPolicyFile } from "#cli/policy/read-policy-file.ts";
import { suggest } from "#cli/policy/suggest.ts";
import { test } from "#cli/policy/test.ts";
import { tryOut } from "#cli/policy/try.ts";
import { makePrintable } from "#cli/printable.ts";
import { renderPolicy } from "#cli/render-policy.ts";
import { readReason } from "#cli/send-action.ts";

const MODES = ["off", "watch", "enforce"] as const;
const TONES = { off: "dim", watch: "warn", enforce: "good" } as const;

function place({ policy: { at } }: PolicyView): string {
  return at.line === undefined ? at.file : `${at.file}:${at.line}`;
}

/** Those in the host's own network are none that a policy reaches, and on one without a bridge it does not reach all programs. */
function countInstances({ selects, unenforced, partly }: PolicyView): string {
  const vain = unenforced.length === 0 ? "" : `, ${unenforced.length} not enforced`;
  const part = partly.length === 0 ? "" : `, ${partly.length} in part`;
  return `${selects.length}${vain}${part}`;
}

const LIST: ListView<PolicyView> = {
  name: ({ policy }) => `${policy.scope}/${policy.name}`,
  empty: "there are no policies; everybody may talk to everybody",
  columns: [
    { key: "scope", title: "SCOPE", value: ({ policy }) => policy.scope },
    { key: "name", title: "NAME", value: ({ policy }) => policy.name },
    { key: "mode", title: "MODE", value: ({ mode }) => mode, tone: ({ mode }) => TONES[mode] },
    {
      key: "isolates",
      title: "ISOLATES",
      value: ({ policy }) =>
        (["ingress", "egress"] as const)
          .filter((direction) => policy[direction] !== undefined)
          .join(" "),
    },
    { key: "instances", title: "INSTANCES", value: countInstances },
    { key: "from", title: "FROM", value: place },
  ],
};

function missing(what: string, remedy: string): FairleadError {
  return new FairleadError(cliErrors["missing-argument"], what, { remedy });
}

function readMode(text: string | undefined): (typeof MODES)[number] | undefined {
  return MODES.find((mode) => mode === text);
}

async function apply(context: Context, paths: readonly string[]): Promise<number> {
  const { api, out, parsed } = context;
  if (paths.length === 0) throw missing("say which file", "fairlead policy apply policies.yaml");
  const files = paths.map((path) => readPolicyFile(context, path));
  const mode = readMode(parsed.text("mode"));
  const policies = files.flatMap((file) => file.policies);
  const scopes = Object.assign({}, ...files.map((file) => file.scopes));
  const named = new Set([...policies.map(({ scope }) => scope), ...Object.keys(scopes)]);
  const body: PolicyRequest = {
    policies,
    scopes,
    modes: mode === undefined ? {} : Object.fromEntries([...named].map((scope) => [scope, mode])),
    ...readReason(context),
  };
  if (parsed.has("dry-run")) {
    out.note(`${formatCount(policies.length, "policy")} can be applied`);
    return EXIT.ok;
  }
  const answer = await api.call<Envelope<PolicyView>>("PUT", "policies", { body });
  await out.list(answer, LIST);
  const written = new Set(policies.map((policy) => `${policy.scope}/${policy.name}`));
  for (const view of answer.items)
    if (written.has(LIST.name(view)))
      for (const text of view.idle ?? []) out.warn(makePrintable(`! ${LIST.name(view)}: ${text}`));
  return answer.partial ? EXIT.unknown : EXIT.ok;
}

async function listIn(context: Context): Promise<Envelope<PolicyView>> {
  const scope = findScope(context);
  const answer = await context.api.list<PolicyView>("policies");
  const items = answer.items.filter(({ policy }) => scope === undefined || policy.scope === scope);
  return { ...answer, items };
}

async function find(context: Context, name: string | undefined): Promise<PolicyView> {
  // A name with its scope is meant whatever the directory is.
  const isWhole = name?.includes("/") === true;
  const { items } = await (isWhole ? context.api.list<PolicyView>("policies") : listIn(context));
  const names = items.map(LIST.name);
  const found = items.filter((item) => item.policy.name === name || LIST.name(item) === name);
  const [only, second] = found;
  if (only !== undefined && second === undefined) return only;
  if (name === undefined) throw missing("say which policy", "see `fairlead policy ls`");
  const nearest = findNearest(name, [...names, ...items.map(({ policy }) => policy.name)]);
  throw new FairleadError(
    cliErrors["bad-value"],
    second === undefined ? `there is no policy ${name}` : `several scopes have a policy ${name}`,
    {
      remedy:
        second !== undefined
          ? "write SCOPE/NAME"
          : nearest === undefined
            ? "see `fairlead policy ls -A`"
            : `did you mean ${nearest}?`,
    },
  );
}

async function remove(context: Context, name: string | undefined): Promise<number> {
  const { policy, origin } = await find(context, name);
  const what = `${policy.scope}/${policy.name}`;
  if (origin === "label")
    throw new FairleadError(cliErrors["bad-value"], `${what} follows from a label of a service`, {
      remedy: `remove the label in ${policy.at.file}, and run up`,
    });
  if (context.parsed.has("dry-run")) {
    context.out.note(`${what} would be removed`);
    return EXIT.ok;
  }
  const path = `policies/${encodeURIComponent(policy.scope)}/${encodeURIComponent(policy.name)}`;
  await context.api.call("DELETE", path, { query: readReason(context) });
  context.out.note(`removed ${makePrintable(what)}`);
  return EXIT.ok;
}

async function setMode(
  context: Context,
  word: string | undefined,
  named: string | undefined,
): Promise<number> {
  const mode = readMode(word);
  const scope = named ?? findScope(context);
  // The two are easily said the other way round.
  const isTurned = mode === undefined && readMode(named) !== undefined;
  const [likely, where] = isTurned ? [named, word] : [mode, scope];
  const example = `fairlead policy mode ${likely ?? "watch"} ${where ?? "SCOPE"}`;
  if (mode === undefined && word !== undefined)
    throw new FairleadError(cliErrors["bad-value"], `there is no mode ${word}`, {
      facts: { modes: MODES.join(", ") },
      remedy: example,
    });
  if (mode === undefined || scope === undefined)
    throw missing(mode === undefined ? "say which mode" : "say of which scope", example);
  if (context.parsed.has("dry-run")) {
    context.out.note(`policy of ${scope} would be: ${mode}`);
    return EXIT.ok;
  }
  const body: PolicyRequest = {
    policies: [],
    scopes: {},
    modes: { [scope]: mode },
    ...readReason(context),
  };
  const answer = await context.api.call<Envelope<PolicyView>>("PUT", "policies", { body });
  context.out.note(`policy of ${scope}: ${mode}`);
  await context.out.list(answer, LIST);
  return answer.partial ? EXIT.unknown : EXIT.ok;
}

/** How many words a verb takes behind it, where it does not take as many files as there are. */
const WORDS_MAX: Readonly<Record<string, number>> = {
  ls: 0,
  show: 1,
  rm: 1,
  mode: 2,
  enforce: 1,
  suggest: 1,
};

/** `fairlead policy ls|show|apply|rm|mode|enforce|test|suggest|try` */
export async function run(context: Context): Promise<number> {
  const [verb = "", ...rest] = context.parsed.arguments;
  const extra = rest[WORDS_MAX[verb] ?? rest.length];
  if (extra !== undefined)
    throw new FairleadError(cliErrors["extra-argument"], `policy ${verb} takes no "${extra}"`, {
      remedy: "see `fairlead policy --help`",
    });
  switch (verb) {
    case "apply":
      return apply(context, rest);
    case "rm":
      return remove(context, rest[0]);
    case "mode":
      return setMode(context, rest[0], rest[1]);
    case "enforce":
      return setMode(context, "enforce", rest[0]);
    case "test":
      return test(context, rest);
    case "suggest":
      return suggest(context, rest[0]);
    case "try":
      return tryOut(context, rest);
    case "show":
      await context.out.document(await find(context, rest[0]), {
        kind: "PolicyView",
        name: LIST.name,
        text: renderPolicy,
      });
      return EXIT.ok;
    default:
      await context.out.list(await listIn(context), LIST);
      return EXIT.ok;
  }
}
