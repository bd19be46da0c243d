// SPDX-License-Identifier: Apache-2.0
import { doctorErrors } from "#cli/errors.ts";
import { formatCount } from "#cli/format.ts";
import { renderDiagnostic } from "#cli/service-warnings.ts";
import { type Check, complain, type Evidence, type Finding, pass, skip } from "./check.ts";

function checkAnswer({ node, socket }: Evidence): Finding {
  if (node === undefined)
    return complain("warn", doctorErrors["node-silent"], "no node runs", [`asked ${socket}`]);
  return pass(`node ${node.version} with pid ${node.pid}`);
}

function checkSight({ node }: Evidence): Finding {
  if (node === undefined) return skip("sight: no node to ask");
  if (node.engine.reachable) return pass("sees its engine");
  return complain("fail", doctorErrors["node-blind"], "the node does not reach its engine", [
    node.engine.problem ?? node.engine.endpoint,
  ]);
}

function checkStore({ node }: Evidence): Finding {
  if (node === undefined) return skip("store: no node to ask");
  if (node.store.writable) return pass("store writable");
  return complain("fail", doctorErrors["store-readonly"], "the store cannot be written", [
    node.store.problem ?? "",
  ]);
}

function checkLabels({ services }: Evidence): Finding {
  const warned = services.flatMap((service) =>
    service.warnings.map((warning) => ({ object: `${service.scope}/${service.name}`, warning })),
  );
  const lines = warned.map(
    ({ object, warning }) => `${object}: ${renderDiagnostic(warning, (text) => text)}`,
  );
  if (lines.length === 0) return pass("no unknown labels");
  const text = formatCount(lines.length, "label or key warning");
  const finding = complain("warn", doctorErrors["label-problems"], text, lines);
  return { ...finding, factObjects: warned.map(({ object }) => object) };
}

function checkPolicies({ unheld }: Evidence): Finding {
  if (unheld === undefined) return skip("policies: no node to ask");
  if (unheld.length === 0) return pass("policies hold as declared");
  return complain("warn", doctorErrors["policies-unheld"], "policies do not hold as declared", [
    ...unheld,
  ]);
}

/** Tests of the node and of what it manages. */
export const NODE_CHECKS: readonly Check[] = [
  { group: "node", name: "node", run: checkAnswer },
  { group: "node", name: "sight", run: checkSight },
  { group: "node", name: "store", run: checkStore },
  { group: "node", name: "labels", run: checkLabels },
  { group: "node", name: "policies", run: checkPolicies },
];
