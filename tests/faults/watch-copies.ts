// SPDX-License-Identifier: Apache-2.0
// How many containers of each service run, by what the engines themselves say, also those of hosts that are cut off.
import { setTimeout as sleep } from "node:timers/promises";
import { openEngineReader } from "#engine/open-reader.ts";
import type { LabHost } from "#lab/hosts.ts";
import { createSystemClock } from "#node/system-clock.ts";

const LOOK_MS = 200;
const ANSWER_MS = 1_000;

/** What ran at one moment: `service@host` for each container; a host whose engine did not answer is as it was. */
export interface Look {
  readonly atMs: number;
  readonly running: readonly {
    readonly service: string;
    readonly host: string;
    readonly id: string;
  }[];
}

export interface Copies extends AsyncDisposable {
  readonly looks: readonly Look[];
  /** The most containers of a service that ran at once since then. */
  most(service: string, fromMs: number): number;
  /** The longest time for which more than `wanted` ran since then, milliseconds. */
  excessMs(service: string, wanted: number, fromMs: number): number;
  /** Ids of the containers of now that are of these services. */
  ids(services: readonly string[]): ReadonlySet<string>;
}

/** Watches one scope until disposed of. */
export function watchCopies(hosts: readonly LabHost[], scope: string): Copies {
  const parts = { clock: createSystemClock(), random: Math.random };
  const readers = hosts.map((host) => ({
    host: host.name,
    reader: openEngineReader({ endpoint: host.endpoint, env: {} }, parts),
  }));
  const looks: Look[] = [];
  const stop = new AbortController();
  const last = new Map<string, Look["running"]>();

  async function lookAt({ host, reader }: (typeof readers)[number]): Promise<void> {
    const late = sleep(ANSWER_MS, undefined);
    const listing = reader.listInstances().catch(() => undefined);
    const listed = await Promise.race([listing, late]);
    if (listed === undefined) return;
    const own = listed.filter((one) => one.scope === scope && one.state === "running");
    last.set(
      host,
      own.map(({ service, id }) => ({ service, host, id })),
    );
  }

  async function watch(): Promise<void> {
    while (!stop.signal.aborted) {
      await Promise.all(readers.map(lookAt));
      const atMs = performance.timeOrigin + performance.now();
      looks.push({ atMs, running: [...last.values()].flat() });
      await sleep(LOOK_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  }
  const watching = watch();
  const count = ({ running }: Look, service: string): number =>
    running.filter((one) => one.service === service).length;
  return {
    looks,
    most: (service, fromMs) =>
      looks.reduce(
        (most, one) => (one.atMs < fromMs ? most : Math.max(most, count(one, service))),
        0,
      ),
    excessMs(service, wanted, fromMs) {
      let [longest, since] = [0, Number.NaN];
      for (const look of looks) {
        if (look.atMs < fromMs || count(look, service) <= wanted) since = Number.NaN;
        else if (Number.isNaN(since)) since = look.atMs;
        else longest = Math.max(longest, look.atMs - since);
      }
      return longest;
    },
    ids(services) {
      const running = looks.at(-1)?.running ?? [];
      const own = running.filter(({ service }) => services.includes(service));
      return new Set(own.map(({ id }) => id));
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await watching;
      await Promise.all(readers.map(({ reader }) => reader[Symbol.asyncDispose]()));
    },
  };
}
