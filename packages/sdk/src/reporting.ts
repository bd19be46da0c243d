// SPDX-License-Identifier: Apache-2.0
// Tells the node what this agent sends past it, so that declared links can be compared with those in use: soon after
// something was sent, and nothing while nothing is.
import { encodeJson } from "@fairlead/fabric/json.ts";
import { LinkTally } from "@fairlead/fabric/link-tally.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { nodeOpen } from "@fairlead/fabric/node-open.ts";
import type { LinkReport } from "@fairlead/protocol/fabric.ts";
import { REPORTED_LINKS_MAX } from "@fairlead/protocol/names.ts";

/** What is sent in this time makes one report. */
const PAUSE_MS = 2_000;
/** gRPC's code of a method that the node does not have. */
const UNIMPLEMENTED = 12;

/** Counts what is sent, and reports it. */
export class Reporting {
  /** What was sent past the node since the last report. */
  readonly tally: LinkTally = new LinkTally(() => this.#arm());
  readonly #link: () => Link | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unwanted = false;

  /** `link`: to the node, while there is one. What cannot be reported waits until `send` is called with one. */
  constructor(link: () => Link | undefined) {
    this.#link = link;
  }

  /** Reports what there is; when nothing, that too: from now on silence means that nothing was sent. */
  send(): void {
    clearTimeout(this.#timer);
    const link = this.#link();
    if (link === undefined || link.closed || this.#unwanted) return;
    const report: LinkReport = this.tally.take(REPORTED_LINKS_MAX);
    const payload = encodeJson(report);
    const conversation = link.open(nodeOpen("$node/report"), { payload });
    conversation.handlers = {
      ...conversation.handlers,
      onEnd: ({ code }) => void (this.#unwanted = code === UNIMPLEMENTED),
    };
  }

  /** Reports the rest. */
  close(): void {
    if (!this.tally.isEmpty) this.send();
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.send(), PAUSE_MS).unref();
  }
}
