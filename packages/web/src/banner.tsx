// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from "react";
import { formatTime } from "./format.ts";
import type { PageState } from "./state.ts";

function listTroubles(state: PageState): string[] {
  const { connection, asOfMs, status, missing } = state;
  const troubles: string[] = [];
  if (connection === "away") {
    const seen =
      asOfMs === undefined
        ? "Nothing is known yet."
        : `What you see is as of ${formatTime(asOfMs)}.`;
    troubles.push(`The node does not answer. ${seen} The page keeps trying.`);
  }
  if (status !== undefined && !status.engine.reachable) {
    const seen = status.engine.asOfMs;
    const since = seen === undefined ? "" : ` Containers are shown as seen at ${formatTime(seen)}.`;
    const problem = status.engine.problem === undefined ? "" : ` (${status.engine.problem})`;
    troubles.push(`The Docker Engine does not answer${problem}.${since}`);
  }
  // The engine's silence was said above, with its reason.
  const others = missing.filter(
    (one) => status?.engine.reachable !== false || !one.startsWith("engine"),
  );
  if (others.length > 0) troubles.push(`Lists are not whole; missing: ${others.join("; ")}.`);
  if (status?.store.problem !== undefined)
    troubles.push(`The store has a problem: ${status.store.problem}.`);
  return troubles;
}

/** Says when what is shown may not be so any more. */
export function Banner({ state }: { state: PageState }): ReactNode {
  const troubles = listTroubles(state);
  return (
    <div role="alert" className="banners">
      {troubles.map((text) => (
        <p key={text} className="banner">
          {text}
        </p>
      ))}
    </div>
  );
}
