// SPDX-License-Identifier: Apache-2.0
// The SDK as others install it: `packages/sdk/dist` is a package of its own, each entry one file of JavaScript, with its types.
// Node strips no types below node_modules, so sources cannot be published as they are.
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "#lab/bundle.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SDK = join(ROOT, "packages/sdk");
/** The folder that `npm pack` makes a tarball of. */
export const SDK_PACKAGE: string = join(SDK, "dist");
/** The SDK as one file of JavaScript without dependencies, for images that have nothing but Node. */
export const SDK_BUNDLE: string = join(SDK_PACKAGE, "sdk.js");
const ENTRIES = ["sdk", "testing"] as const;

/** Bundles `packages/sdk` into `dist/sdk.js`. */
export async function buildSdk(): Promise<void> {
  await bundle("sdk", SDK_PACKAGE);
}

async function bundle(entry: (typeof ENTRIES)[number], directory: string): Promise<void> {
  const code = await bundleProgram(join(SDK, `src/${entry}.ts`));
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${entry}.js`), code);
}

/** Imports of packages of this repository, and of `.ts` files, as they are in one folder of declarations, `types`. */
function rewriteImports(text: string, file: string, types: string): string {
  return text.replaceAll(
    /(["'])(@fairlead\/(?:protocol|fabric|routing)\/|\.{1,2}\/)([^"']+?)\.ts\1/g,
    (_, quote: string, start: string, path: string) => {
      const [, name = ""] = /^@fairlead\/(\w+)\//.exec(start) ?? [];
      const folder = name === "protocol" ? "protocol" : `${name}/src`;
      const to =
        name === "" ? `${start}${path}` : relative(dirname(file), join(types, folder, path));
      return `${quote}${to.startsWith(".") ? to : `./${to}`}.js${quote}`;
    },
  );
}

/** Writes the declarations of all that the entries reach. */
function writeTypes(directory: string): void {
  const types = join(directory, "types");
  const config = join(directory, "tsconfig.json");
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: join(ROOT, "packages"),
    outDir: types,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
    // By path they are sources; by name they would be somebody else's package.
    paths: {
      "@fairlead/protocol/*": [join(ROOT, "packages/protocol/*")],
      "@fairlead/fabric/*": [join(ROOT, "packages/fabric/src/*")],
      "@fairlead/routing/*": [join(ROOT, "packages/routing/src/*")],
    },
  };
  const files = ENTRIES.map((entry) => join(SDK, `src/${entry}.ts`));
  const extended = { extends: join(ROOT, "tsconfig.json"), compilerOptions, files, include: [] };
  writeFileSync(config, JSON.stringify(extended));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", config], { encoding: "utf8" });
  rmSync(config);
  if (status !== 0) throw new Error(`the declarations cannot be made: ${stdout}`);
  for (const file of globSync("**/*.d.ts", { cwd: types }).map((name) => join(types, name)))
    writeFileSync(file, rewriteImports(readFileSync(file, "utf8"), file, types));
}

function writeManifest(directory: string): void {
  const { name, version, description, license, type, dependencies } = JSON.parse(
    readFileSync(join(SDK, "package.json"), "utf8"),
  ) as Readonly<Record<string, string>> & { readonly dependencies: Record<string, string> };
  const exports = ENTRIES.map((entry) => [
    entry === "sdk" ? "." : `./${entry}`,
    { types: `./types/sdk/src/${entry}.d.ts`, default: `./${entry}.js` },
  ]);
  const manifest = {
    name,
    version,
    description,
    license,
    type,
    // For zstd, and for what the language has had since.
    engines: { node: ">=22.15" },
    exports: Object.fromEntries(exports) as unknown,
    files: [...ENTRIES.map((entry) => `${entry}.js`), "types"],
    // Of its types only: what runs is in the files.
    dependencies: { zod: `^${dependencies["zod"]}` },
  };
  writeFileSync(join(directory, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  cpSync(join(ROOT, "LICENSE"), join(directory, "LICENSE"));
  cpSync(join(SDK, "README.md"), join(directory, "README.md"));
}

/** Makes the whole package in a directory, anew. */
export async function buildSdkPackage(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  for (const entry of ENTRIES) await bundle(entry, directory);
  writeTypes(directory);
  writeManifest(directory);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildSdkPackage(SDK_PACKAGE);
  process.stdout.write(`npm pack ./${relative(process.cwd(), SDK_PACKAGE)}\n`);
}
