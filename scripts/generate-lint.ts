// SPDX-License-Identifier: Apache-2.0
// .oxlintrc.json from rooms.json: who may import whom, and what pure rooms may not touch.
import { readFileSync } from "node:fs";

type Kind = "pure" | "hands" | "loops" | "faces" | "root";

/** One room as rooms.json has it. */
export interface Room {
  readonly kind: Kind;
  readonly does: string;
  readonly imports: readonly string[];
  /** Files of other rooms that may be imported besides. */
  readonly interfaces?: readonly string[];
}

interface Restriction {
  readonly group: readonly string[];
  readonly message: string;
}

/** The rooms, in the order of the file: lower ones first. */
export function readRooms(): Readonly<Record<string, Room>> {
  const path = new URL("../rooms.json", import.meta.url);
  return (JSON.parse(readFileSync(path, "utf8")) as { rooms: Record<string, Room> }).rooms;
}

const UP: Restriction = {
  group: ["../*", "../**"],
  message: "Spell it #room/file.ts: `../` hides which room it is",
};
const SHELL = {
  name: "node:child_process",
  importNames: ["exec", "execSync", "default"],
  message: "No shell, ever: spawn with a list of arguments",
};
const UNTYPED = [
  "Date",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "process",
  "fetch",
  "performance",
  "crypto",
  "globalThis",
  "global",
  "queueMicrotask",
  "console",
  "Buffer",
  "WebSocket",
  "Temporal",
];

function restrictRoom(
  name: string,
  room: Room,
  all: Readonly<Record<string, Room>>,
): Restriction[] {
  const allowed = new Set([name, ...room.imports]);
  const groups: Restriction[] = [];
  for (const other of Object.keys(all)) {
    if (other === name) continue;
    if (!allowed.has(other)) {
      const faces = (room.interfaces ?? []).filter((file) => file.startsWith(`${other}/`));
      const group = [`#${other}/**`, ...faces.map((file) => `!#${file}`)];
      groups.push({ group, message: `${name} may not import ${other}: see rooms.json` });
    } else if (name !== "node") {
      groups.push({
        group: [`#${other}/drivers/**`],
        message: `Drivers are made by ${other}/open.ts and in node/ only`,
      });
    }
  }
  return [
    ...groups,
    {
      group: ["./drivers/**", `#${name}/drivers/**`],
      message: `Drivers are made by ${name}/open.ts and in node/ only`,
    },
    UP,
    { group: ["#lab/**"], message: "The lab is for tests, benchmarks and people" },
  ];
}

/** What keeps a place pure: time, randomness and the outside come as arguments. */
function keepPure(): Record<string, unknown> {
  const message = "Pure rooms take time, randomness and the outside as arguments";
  return {
    "import/no-nodejs-modules": "error",
    "no-restricted-globals": ["error", ...UNTYPED.map((name) => ({ name, message }))],
    "no-restricted-properties": ["error", { object: "Math", property: "random", message }],
  };
}

/** Packages that are pure although they are no rooms. */
const PURE_PACKAGES = ["routing"];

function overrideRoom(name: string, room: Room, all: Readonly<Record<string, Room>>): object {
  const rules: Record<string, unknown> = {
    "no-restricted-imports": ["error", { paths: [SHELL], patterns: restrictRoom(name, room, all) }],
  };
  if (room.kind === "pure") Object.assign(rules, keepPure());
  return { files: [`src/${name}/**/*.ts`, `tests/canaries/src/${name}/**/*.ts`], rules };
}

/** Whoever opens a driver: `open.ts`, and where there is one the door for those who only look. */
function overrideDrivers(name: string): object {
  return {
    files: [`src/${name}/open.ts`, `src/${name}/open-reader.ts`],
    rules: { "no-restricted-imports": ["error", { paths: [SHELL], patterns: [UP] }] },
  };
}

const RULES = {
  "no-restricted-imports": ["error", { paths: [SHELL] }],
  "import/no-cycle": ["error", { ignoreTypes: false }],
  "typescript/consistent-type-imports": "error",
  // One spelling, so that no ban is evaded by the other.
  "unicorn/prefer-node-protocol": "error",
  "typescript/no-explicit-any": "error",
  "typescript/no-non-null-assertion": "error",
  "typescript/no-floating-promises": "error",
  "typescript/no-misused-promises": "error",
  "typescript/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
  "typescript/only-throw-error": "error",
  "typescript/unbound-method": "off",
  "typescript/no-base-to-string": "off",
  "typescript/restrict-template-expressions": "off",
  "typescript/no-redundant-type-constituents": "off",
  "typescript/ban-ts-comment": "error",
  "no-eval": "error",
  "no-var": "error",
  "prefer-const": "error",
  eqeqeq: "error",
};

/** The whole configuration as text. */
export function renderLint(): string {
  const rooms = readRooms();
  const overrides: object[] = Object.entries(rooms).map(([name, room]) =>
    overrideRoom(name, room, rooms),
  );
  for (const [name, room] of Object.entries(rooms))
    if (room.kind === "hands") overrides.push(overrideDrivers(name));
  overrides.push({
    files: ["packages/**/*.ts", "packages/**/*.tsx", "tests/canaries/packages/**/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          paths: [SHELL],
          patterns: [
            {
              group: ["#*/**", "**/src/**"],
              message: "Packages ship on their own: they never import src",
            },
          ],
        },
      ],
    },
  });
  for (const name of PURE_PACKAGES) {
    const files = [`packages/${name}/**/*.ts`, `tests/canaries/packages/${name}/**/*.ts`];
    overrides.push({ files, rules: keepPure() });
  }
  overrides.push({
    files: ["**/*.test.ts", "**/*.test.tsx", "src/**/testing/**", "**/*-conformance.ts"],
    rules: {
      "no-restricted-imports": ["error", { paths: [SHELL] }],
      "import/no-nodejs-modules": "off",
      "no-restricted-globals": "off",
      "no-restricted-properties": "off",
      "typescript/no-floating-promises": "off",
    },
  });
  const config = {
    plugins: ["import", "typescript", "unicorn", "oxc", "node", "promise"],
    categories: { correctness: "error" },
    ignorePatterns: ["**/dist/**", "tests/canaries/**", "examples/**"],
    rules: RULES,
    overrides,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
