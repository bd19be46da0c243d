// SPDX-License-Identifier: Apache-2.0
// A client in a network of the lab that calls every service of a scope, and knows where they are from a node of its side, as
// whoever routes would: instances that run, on nodes that are alive. The name servers of its side it asks as well.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import type { HostNode } from "#lab/host-node.ts";
import type { NameAnswer } from "./ask-names.ts";
import type { Call, Place, Places } from "./call.ts";
import type { Pause, Seen, Told } from "./client-program.ts";

const PROGRAM = fileURLToPath(new URL("client-program.ts", import.meta.url));
const LOOK_MS = 100;
const ANSWER_MS = 400;
/** Where its services serve HTTP. */
const HTTP_PORT = 8080;
/** Where nodes answer DNS; not 53, which containers would be told of. */
export const DNS_PORT = 15_353;

/** What a name server said, with hosts for addresses: what is no host's is an instance's on the host that was asked. */
export interface NamedHosts extends Omit<NameAnswer, "addresses"> {
  readonly hosts: readonly string[];
}

export interface Client extends AsyncDisposable {
  /** All calls so far, in the order of their ends. */
  readonly calls: readonly Call[];
  /** What name servers said so far. */
  readonly answers: readonly NamedHosts[];
  /** When the client itself had no turn, so far. */
  readonly pauses: readonly Pause[];
  /** Nodes that the client can ask, the first that answers counts; name servers, each in turn. */
  setSide(nodes: readonly HostNode[]): void;
}

export interface ClientOptions {
  readonly netns: string;
  readonly side: readonly HostNode[];
  readonly scope: string;
  readonly services: readonly string[];
  /** Calls a second of each service. */
  readonly rate: number;
}

async function inTime<T>(promise: Promise<T>): Promise<T | undefined> {
  const late = new AbortController();
  const timer = sleep(ANSWER_MS, undefined, { signal: late.signal }).catch(() => undefined);
  try {
    return await Promise.race([promise.catch(() => undefined), timer]);
  } finally {
    late.abort();
  }
}

/** Where the services are by what a node knows; undefined when it does not answer in time. */
async function readPlaces(
  { ask }: HostNode,
  scope: string,
  addresses: ReadonlyMap<string, string>,
): Promise<Places | undefined> {
  const both = [ask<{ items: NodeView[] }>("nodes"), ask<ScopeView>(`scopes/${scope}`)] as const;
  const read = await inTime(Promise.all(both));
  if (read?.[1].status !== 200) return undefined;
  const [{ body: nodes }, { body: view }] = read;
  // As DNS and agents do: what runs where a node was ended is taken to run on, as while it is upgraded.
  const named = nodes.items.filter(({ state }) => state === "alive" || state === "left");
  const alive = new Set(named.map(({ name }) => name));
  const places: Record<string, Place[]> = {};
  for (const { name, instances } of view.services)
    places[name] = instances.flatMap(({ state, health, node = "", ports }) => {
      const isWell = state === "running" && (health === "none" || health === "healthy");
      const address = addresses.get(node);
      const port = ports.find(({ containerPort }) => containerPort === HTTP_PORT)?.hostPort;
      if (!isWell || !alive.has(node) || address === undefined || port === undefined) return [];
      return { host: node, address, port };
    });
  return places;
}

/** For hours of calls, of which most say the same: gives them the very texts of an earlier one. */
function createSharing(): (call: Call) => Call {
  const known = new Map<string, Pick<Call, "service" | "tried" | "outcome">>();
  return ({ service, tried, outcome, ...rest }) => {
    const key = `${service} ${outcome} ${tried.join()}`;
    const shared = known.get(key) ?? { service, tried, outcome };
    known.set(key, shared);
    return { ...rest, ...shared };
  };
}

/** Starts it; it calls from now on. */
export function startClient(options: ClientOptions): Client {
  const { netns, scope, services, rate } = options;
  const words = [PROGRAM, String(rate), scope, ...services];
  const args = [`--net=/run/netns/${netns}`, process.execPath, ...words];
  const child = spawn("nsenter", args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const calls: Call[] = [];
  const answers: NamedHosts[] = [];
  const pauses: Pause[] = [];
  const stop = new AbortController();
  const addresses = new Map(options.side.map(({ host }) => [host.name, host.ip]));
  const hosts = new Map(options.side.map(({ host }) => [host.ip, host.name]));
  let side = options.side;
  const tell = (told: Told): void => void (child.connected && child.send(told));
  const shareParts = createSharing();
  child.on("message", (seen: Seen) => {
    calls.push(...seen.calls.map(shareParts));
    pauses.push(...seen.pauses);
    for (const { addresses: named, ...answer } of seen.answers)
      answers.push({ ...answer, hosts: named.map((ip) => hosts.get(ip) ?? answer.asked) });
  });
  function setSide(nodes: readonly HostNode[]): void {
    side = nodes;
    const servers = nodes.map(({ host }) => ({
      host: host.name,
      address: host.ip,
      port: DNS_PORT,
    }));
    tell({ servers });
  }

  async function route(): Promise<void> {
    while (!stop.signal.aborted) {
      for (const node of side) {
        const places = await readPlaces(node, scope, addresses);
        if (places === undefined) continue;
        tell({ places });
        break;
      }
      await sleep(LOOK_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  }
  setSide(side);
  const routing = route();
  return {
    calls,
    answers,
    pauses,
    setSide,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await routing;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}
