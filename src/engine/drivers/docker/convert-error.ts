// SPDX-License-Identifier: Apache-2.0
// The engine's refusals as kinds of error. Its own words are the message; nothing else is known to be true.
import { FairleadError, type ErrorKind } from "#base/errors.ts";
import { engineErrors } from "#engine/errors.ts";

interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly method: string;
  readonly path: string;
}

function readMessage(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === "string") return message.trim();
  } catch {
    // Engines before 1.24 and proxies answer in plain text.
  }
  return text.trim().slice(0, 500) || "the engine gave no reason";
}

const PORT = /(?:Bind for|listen \w+|address) ?.*?:(\d+)|port (\d+)/;

function chooseKind(status: number, message: string, path: string): ErrorKind {
  if (/port is already allocated|address already in use/.test(message))
    return engineErrors["port-in-use"];
  if (/client version .* is too old/i.test(message)) return engineErrors["engine-too-new"];
  if (/client version .* is too new|client is newer than server/i.test(message))
    return engineErrors["engine-too-old"];
  if (
    /No such image|reference does not exist|failed to get digest|pull access denied|manifest (for .* not found|unknown)|repository .* not found/i.test(
      message,
    )
  ) {
    return engineErrors["image-missing"];
  }
  if (status === 404) return engineErrors["not-there"];
  if (/has active endpoints|volume is in use/.test(message)) return engineErrors["still-in-use"];
  if (status === 409 && /already in use|already exists/.test(message))
    return engineErrors["name-taken"];
  if (status === 500 && path.startsWith("/images/create?fromImage="))
    return engineErrors["image-missing"];
  if (
    status >= 500 &&
    !/OCI runtime|executable file not found|no such file|invalid/.test(message)
  ) {
    return engineErrors["engine-failed"];
  }
  return engineErrors["engine-refused"];
}

/** The error that a refusal means. */
export function convertRefusal(refusal: Refusal): FairleadError {
  const message = readMessage(refusal.text);
  const kind = chooseKind(refusal.status, message, refusal.path);
  const facts: Record<string, string | number> = {
    request: `${refusal.method} ${refusal.path.split("?")[0] ?? ""}`,
    status: refusal.status,
  };
  const port = kind === engineErrors["port-in-use"] ? PORT.exec(message) : null;
  if (port !== null) facts["port"] = port[1] ?? port[2] ?? "";
  return new FairleadError(kind, message, { facts });
}

/** The error that a failed connection means. */
export function convertFailure(
  error: unknown,
  endpoint: string,
  deadlineMs: number,
  byDeadline: boolean,
): FairleadError {
  if (error instanceof FairleadError) return error;
  if (byDeadline) {
    return new FairleadError(
      engineErrors["engine-timeout"],
      `the engine did not answer within ${deadlineMs} ms`,
      { facts: { endpoint }, cause: error },
    );
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const message = error instanceof Error ? error.message : String(error);
  if (code === "EACCES") {
    return new FairleadError(engineErrors["engine-forbidden"], `may not open ${endpoint}`, {
      cause: error,
      facts: { user: process.getuid?.() ?? "unknown" },
    });
  }
  return new FairleadError(
    engineErrors["engine-unreachable"],
    `cannot reach the engine at ${endpoint}: ${message}`,
    { cause: error },
  );
}
