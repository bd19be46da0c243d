// SPDX-License-Identifier: Apache-2.0
// Many different rules, which no packet of the benchmark is about.

/** Who may call which port. */
export interface BenchRule {
  readonly block: string;
  readonly port: number;
}

const PORTS = 200;

/** So many; neighbouring blocks have different ports, so that they do not become one. */
export function listRules(count: number): readonly BenchRule[] {
  return Array.from({ length: count }, (_, index) => ({
    block: `100.${64 + (index >> 8)}.${index & 255}.0/24`,
    port: 10_000 + (index % PORTS),
  }));
}
