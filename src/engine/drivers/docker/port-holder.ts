// SPDX-License-Identifier: Apache-2.0
import { FairleadError, isKind } from "#base/errors.ts";
import { engineErrors } from "#engine/errors.ts";
import type { Connection } from "./connection.ts";

interface Listed {
  readonly Names?: readonly string[];
  readonly Ports?: readonly { readonly PublicPort?: number }[];
}

/** A port that is in use, with the container that publishes it; any other error as it is. Never throws. */
export async function namePortHolder(
  connection: Connection,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  if (!isKind(error, engineErrors["port-in-use"])) return error;
  const port = Number(error.facts["port"]);
  try {
    const listed = (await connection.call("GET", "/containers/json", { signal })) as Listed[];
    const holder = listed.find(({ Ports = [] }) => Ports.some((own) => own.PublicPort === port));
    const name = holder?.Names?.[0]?.replace(/^\//, "");
    const heldBy = name === undefined ? "a process outside of the engine" : `container ${name}`;
    return new FairleadError(error.kind, error.message, {
      facts: { ...error.facts, "held by": heldBy },
      cause: error,
    });
  } catch {
    // Who holds it is a help; that it is held is what was asked.
    return error;
  }
}
