// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from "react";
import { replaceQuery, type Route } from "./route.ts";

/** A search field; what is typed stands in the address as `q`. */
export function TextFilter({ hint, route }: { hint: string; route: Route }): ReactNode {
  return (
    <label className="grow">
      Text
      <input
        type="search"
        value={route.query.get("q") ?? ""}
        placeholder={hint}
        onChange={(event) => replaceQuery(route, "q", event.target.value)}
      />
    </label>
  );
}
