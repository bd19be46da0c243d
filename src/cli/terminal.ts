// SPDX-License-Identifier: Apache-2.0
// What the place where output goes can show: colour, a live region, more than ASCII.

/** What was asked for by flags. */
export interface TerminalChoice {
  readonly color: "auto" | "always" | "never";
  readonly progress: "auto" | "tty" | "plain" | "json" | "quiet";
}

export interface Terminal {
  /** Whether stdout takes colour. */
  readonly color: boolean;
  /** Whether stderr takes colour. */
  readonly errorColor: boolean;
  readonly unicode: boolean;
  readonly progress: "tty" | "plain" | "json" | "quiet";
  /** Whether stdout can be redrawn. */
  readonly live: boolean;
  columns: number;
  rows: number;
}

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
  readonly stderr: { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
}

function speaksUtf8(env: Surroundings["env"]): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return /utf-?8/i.test(locale);
}

/** How wide the terminal on stdout is, COLUMNS before what it says; undefined where stdout is none. */
export function findColumns({ env, stdout }: Omit<Surroundings, "stderr">): number | undefined {
  if (stdout.isTTY !== true) return undefined;
  const asked = env["COLUMNS"] ?? "";
  return /^[1-9]\d{0,4}$/.test(asked) ? Number(asked) : stdout.columns;
}

/** Decides once, from flags, environment and streams. NO_COLOR removes colour and nothing else. */
export function detectTerminal(around: Surroundings, choice: TerminalChoice): Terminal {
  const { env, stdout, stderr } = around;
  const tame = env["TERM"] === "dumb" || (env["CI"] ?? "") !== "";
  const colorful = (env["NO_COLOR"] ?? "") === "" && !tame;
  const wanted = (isTty: boolean) =>
    choice.color === "always" || (choice.color === "auto" && colorful && isTty);
  const liveError = stderr.isTTY === true && !tame;
  return {
    color: wanted(stdout.isTTY === true),
    errorColor: wanted(stderr.isTTY === true),
    unicode: speaksUtf8(env),
    progress: choice.progress === "auto" ? (liveError ? "tty" : "plain") : choice.progress,
    live: stdout.isTTY === true && !tame,
    columns: stdout.columns ?? stderr.columns ?? 80,
    rows: stdout.rows ?? stderr.rows ?? 24,
  };
}
