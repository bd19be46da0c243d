// SPDX-License-Identifier: Apache-2.0

/** A circle in a directed graph, its first name again at the end; undefined when there is none. Linear, without recursion. */
export function findCircle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const finished = new Set<string>();
  for (const start of graph.keys()) {
    const path: string[] = [];
    const onPath = new Map<string, number>();
    const stack: { readonly name: string; next: number }[] = [];
    const enter = (name: string): void => {
      onPath.set(name, path.length);
      path.push(name);
      stack.push({ name, next: 0 });
    };
    if (!finished.has(start)) enter(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const to = graph.get(top.name)?.[top.next++];
      if (to === undefined) {
        finished.add(top.name);
        onPath.delete(top.name);
        path.pop();
        stack.pop();
        continue;
      }
      const begin = onPath.get(to);
      if (begin !== undefined) return [...path.slice(begin), to];
      if (!finished.has(to)) enter(to);
    }
  }
  return undefined;
}
