// SPDX-License-Identifier: Apache-2.0
import type { Diagnostic, Intent, ServiceIntent } from "#model/intent.ts";
import { compileNetworks, compileVolumes } from "./compile-network.ts";
import { warnAboutPlacement } from "./compile-placement.ts";
import { compileService } from "./compile-service.ts";
import { composeErrors } from "./errors.ts";
import { createFindings, type Findings } from "./findings.ts";
import type { LoadResult, ServiceModel } from "./project.ts";

/** The effective project as intent: plain data, the same for every order of keys. Adds warnings about values without effect. */
export function compileIntent(loaded: LoadResult): Intent {
  const { project } = loaded;
  const findings = createFindings();
  const services = Object.entries(project.services)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, service]) => {
      warnAboutValues(loaded, name, service, findings);
      return compileService(loaded, name, service);
    });
  return {
    scope: project.name,
    services,
    networks: compileNetworks(loaded, listNetworks(services)),
    volumes: compileVolumes(loaded, new Set(services.flatMap((service) => service.volumes))),
    files: [...new Set(loaded.files)],
    projectDirectory: loaded.projectDirectory,
    diagnostics: [...loaded.diagnostics, ...findings.warnings].map(copyDiagnostic),
  };
}

function listNetworks(services: readonly ServiceIntent[]): Set<string> {
  return new Set(
    services.flatMap(({ network }) =>
      network.kind === "networks" ? network.attachments.map((join) => join.network) : [],
    ),
  );
}

function copyDiagnostic(diagnostic: Diagnostic): Diagnostic {
  return { ...diagnostic, ...(diagnostic.at === undefined ? {} : { at: { ...diagnostic.at } }) };
}

/** Good Compose whose effect is not, or not quite, what it says. */
function warnAboutValues(
  loaded: LoadResult,
  name: string,
  service: ServiceModel,
  findings: Findings,
): void {
  const warn = (message: string, path: readonly string[], hint?: string): void => {
    const at = loaded.origins.findNear(["services", name, ...path]);
    findings.warn(composeErrors["unsupported-value"], message, at, hint);
  };
  const pull = service.pull_policy;
  if (pull !== undefined && /^(?:refresh|daily|weekly|every_)/.test(pull)) {
    warn(
      `pull_policy ${pull} of ${name} acts as missing`,
      ["pull_policy"],
      "use always to fetch at each up",
    );
  }
  for (const link of service.links ?? []) {
    const [target = "", alias] = link.split(":");
    if (alias === undefined || alias === target) continue;
    warn(
      `the alias ${alias} of the link ${link} has no effect`,
      ["links"],
      `give ${target} the alias: networks.NETWORK.aliases`,
    );
  }
  if ((service.build?.platforms?.length ?? 0) > 1) {
    warn(`the image of ${name} is only built for ${service.build?.platforms?.[0] ?? ""}`, [
      "build",
      "platforms",
    ]);
  }
  warnAboutPlacement(name, service, warn);
  for (const section of ["configs", "secrets"] as const) {
    for (const [index, use] of (service[section] ?? []).entries()) {
      const fromFile = project(loaded, section, use.source)?.file !== undefined;
      if (!fromFile || (use.uid ?? use.gid ?? use.mode) === undefined) continue;
      warn(
        `uid, gid and mode of ${section} ${use.source ?? ""} have no effect: it is a file of the host, mounted read-only`,
        [section, String(index)],
      );
    }
  }
}

function project(
  loaded: LoadResult,
  section: "configs" | "secrets",
  key: string | undefined,
): { readonly file?: string } | undefined {
  return key === undefined ? undefined : loaded.project[section][key];
}
