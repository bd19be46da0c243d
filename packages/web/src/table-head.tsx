// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from "react";

/** The titles of a table's columns. */
export function TableHead({ titles }: { titles: readonly string[] }): ReactNode {
  return (
    <thead>
      <tr>
        {titles.map((title) => (
          <th key={title} scope="col">
            {title}
          </th>
        ))}
      </tr>
    </thead>
  );
}
