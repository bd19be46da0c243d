// SPDX-License-Identifier: Apache-2.0
// `fairlead policy test FILE…`: tests of files, run on what policies compile to.
import type { PolicyView } from "@fairlead/protocol/policy.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findComposeFiles, findScope } from "#cli/find-scope.ts";
import { formatCount } from "#cli/format.ts";
import { loadComposeProject } from "#cli/load-intent.ts";
import { wrapItems, type ListView } from "#cli/output.ts";
import { compileIntent } from "#compose/compile-intent.ts";
import type { NetworkPolicy } from "#model/policy.ts";
import { makeLabelPolicy } from "#policy/label-policies.ts";
import { readPorts } from "#policy/read-ports.ts";
import { runPolicyTests, type TestResult, type TestService } from "#policy/run-tests.ts";
import { readPolicyFile } from "./read-policy-file.ts";

interface Project {
  readonly scope: string;
  readonly services: readonly TestService[];
  readonly policies: readonly NetworkPolicy[];
}

/** Services of the Compose project of the directory, with what their labels allow; undefined without one. */
async function loadProjectServices(context: Context): Promise<Project | undefined> {
  if (findComposeFiles(context.cwd) === undefined) return undefined;
  const { scope, services } = compileIntent(await loadComposeProject(context));
  return {
    scope,
    services: services.map(({ name: service, container: { Labels: labels = {} } }) => ({
      scope,
      service,
      labels,
      ports: readPorts(labels),
    })),
    policies: services.flatMap(({ name: service, container, origins, at }) => {
      const labels = container.Labels ?? {};
      return makeLabelPolicy({ scope, service, labels, origins, at }) ?? [];
    }),
  };
}

function nameTarget({ test: { to, port, protocol } }: TestResult): string {
  const host = to.includes(":") ? `[${to}]` : to;
  return port === 0
    ? `${host} ${protocol.toLowerCase()}`
    : `${host}:${port}/${protocol.toLowerCase()}`;
}

/** What decided: the policy with its line, or that none isolates. */
function nameReason({ verdict, steps }: TestResult): string {
  const step =
    steps.find((one) => one.verdict === "deny") ?? steps.findLast((one) => one.policy) ?? steps[0];
  if (step?.policy === undefined) return "no policy isolates them";
  const line = step.at?.line === undefined ? "" : `:${step.at.line}`;
  const place = step.at === undefined ? "" : `  ${step.at.file}${line}`;
  return `${verdict === "deny" ? `${step.direction} of ` : ""}${step.policy}${place}`;
}

const RESULTS: ListView<TestResult> = {
  name: (result) => `${result.test.from} ${nameTarget(result)}`,
  empty: "there are no tests in the files",
  columns: [
    {
      key: "result",
      title: "TEST",
      value: ({ passed }) => (passed ? "ok" : "FAILED"),
      tone: ({ passed }) => (passed ? "good" : "bad"),
    },
    { key: "from", title: "FROM", value: ({ test: { from } }) => from },
    { key: "to", title: "TO", value: nameTarget },
    { key: "expect", title: "EXPECTED", value: ({ test: { expect } }) => expect },
    { key: "verdict", title: "VERDICT", value: ({ verdict }) => verdict },
    { key: "by", title: "BY", value: nameReason },
    {
      key: "at",
      title: "WRITTEN",
      value: ({ test: { at } }) => `${at.file}${at.line === undefined ? "" : `:${at.line}`}`,
    },
  ],
};

/** Runs the tests of files: 0 when all hold, 1 when one does not, 2 for a test that is none. */
export async function test(context: Context, paths: readonly string[]): Promise<number> {
  if (paths.length === 0)
    throw new FairleadError(cliErrors["missing-argument"], "say which file", {
      remedy: "fairlead policy test policies.yaml tests.yaml",
    });
  const files = paths.map((path) => readPolicyFile(context, path));
  const project = await loadProjectServices(context);
  const written = files.flatMap(({ policies }) => policies);
  // A file of tests alone is about what is declared now.
  const declared =
    written.length > 0
      ? [...written, ...(project?.policies ?? [])]
      : (await context.api.list<PolicyView>("policies")).items.map(({ policy }) => policy);
  const scopes = Object.entries(Object.assign({}, ...files.map((file) => file.scopes)));
  const results = runPolicyTests(
    files.flatMap(({ tests }) => tests),
    {
      policies: declared,
      services: project?.services ?? [],
      scopes: new Map(scopes as [string, Readonly<Record<string, string>>][]),
      scope: findScope(context) ?? written[0]?.scope ?? "",
      known: new Set(project === undefined ? [] : [project.scope]),
    },
  );
  await context.out.list(wrapItems("PolicyTestList", results), RESULTS);
  const failed = results.filter(({ passed }) => !passed).length;
  context.out.note(
    failed === 0
      ? `${formatCount(results.length, "test")} passed`
      : `${failed} of ${formatCount(results.length, "test")} failed`,
  );
  return failed === 0 ? EXIT.ok : EXIT.no;
}
