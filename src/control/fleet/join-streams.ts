// SPDX-License-Identifier: Apache-2.0
import type { Duplex } from "node:stream";

/** Passes on what comes from either to the other; what ends or breaks one ends the other. */
export function joinStreams(one: Duplex, other: Duplex): void {
  const cut = (): void => {
    one.destroy();
    other.destroy();
  };
  // `pipeline` there and back would add more listeners to one of them than Node takes for no leak.
  for (const stream of [one, other]) stream.on("error", cut).once("close", cut);
  one.pipe(other);
  other.pipe(one);
}
