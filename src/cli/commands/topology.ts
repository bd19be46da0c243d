// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { extname, resolve } from "node:path";
import type { Plan } from "@fairlead/protocol/decision.ts";
import type { TopologyView } from "@fairlead/protocol/topology.ts";
import { LineCounter, parseDocument } from "yaml";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findFabricScope } from "#cli/find-fabric-scope.ts";
import { readReason } from "#cli/send-action.ts";
import { showPlan } from "#cli/show-plan.ts";
import { parseDot } from "#topology/dot.ts";
import { declareLayout } from "#topology/layout.ts";
import { parseMatrixCsv } from "#topology/matrix.ts";

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const because = cause instanceof Error ? cause.message : String(cause);
    throw new FairleadError(cliErrors["bad-value"], `cannot read ${path}`, {
      cause,
      facts: { because },
    });
  }
}

function parseYaml(text: string, file: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new FairleadError(cliErrors["bad-value"], error.message.split("\n")[0] ?? "is no YAML", {
      location: { file, line, column: col },
    });
  }
  return document.toJS();
}

/** What a file declares: YAML or JSON say the kind, CSV and DOT list the links. */
function readDeclaration(context: Context, file: string): unknown {
  const text = readText(resolve(context.cwd, file));
  const relay = context.parsed.has("relay");
  switch (extname(file)) {
    case ".csv":
      return declareLayout(parseMatrixCsv(text, file), { relay });
    case ".dot":
    case ".gv":
      return declareLayout(parseDot(text, file), { relay });
    default:
      return parseYaml(text, file);
  }
}

/** `fairlead topology set FILE` and `fairlead topology rm` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [verb = "", file] = parsed.arguments;
  const scope = findFabricScope(context);
  const path = `scopes/${encodeURIComponent(scope)}/topology`;
  if (verb !== "rm" && (verb !== "set" || file === undefined)) {
    throw new FairleadError(cliErrors["missing-argument"], "say what to do", {
      remedy: "fairlead topology set ring.yaml, with for example: kind: ring",
    });
  }
  const declaration =
    file === undefined || verb === "rm" ? undefined : readDeclaration(context, file);
  if (parsed.has("dry-run")) {
    const body = declaration === undefined ? {} : { declaration };
    await showPlan(context, await api.call<Plan>("POST", `${path}/plan`, { body }));
    return EXIT.ok;
  }
  const query = readReason(context);
  if (declaration === undefined) {
    await api.call("DELETE", path, { query });
    out.note(`everybody in ${scope} may talk to everybody`);
    return EXIT.ok;
  }
  const { graph } = await api.call<TopologyView>("PUT", path, { query, body: declaration });
  out.note(
    `wired ${graph.members.length} agents of ${scope} as a ${graph.kind} with ${graph.links.length} links`,
  );
  return EXIT.ok;
}
