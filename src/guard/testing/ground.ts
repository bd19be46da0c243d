// SPDX-License-Identifier: Apache-2.0
// A host for rules of the guard, without an engine: a namespace with a bridge, and instances as an engine makes them, each a
// namespace with a process in a group that is named by its id.
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { GateOrder, Guard, Guest, GuestCalls, Place } from "#guard/guard.ts";
import { createNamespace } from "#lab/engine.ts";
import { openLedger } from "#lab/ledger.ts";
import { startPackets, type Packets, type Probe } from "#lab/packets.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";

export const BRIDGE = "br-ground";
const TALK = fileURLToPath(new URL("talk-child.ts", import.meta.url));
const TALK_PORT = 7_000;
/** There is no engine, and nothing between two instances but the kernel. */
const QUIET_MS = 200;
/** What everybody answers on. */
export const SERVED = (["TCP", "UDP"] as const).flatMap((protocol) =>
  [80, 81, 8_080].map((port) => [protocol, port] as const),
);

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** An instance. */
export interface End extends Place {
  readonly name: string;
  readonly netns: string;
  readonly mac: string;
  readonly v4: string;
  readonly v6: string;
  /** Runs a program inside. */
  inside(program: string, ...args: string[]): string;
}

/** A connection that stays. */
export interface Talk {
  say(line: string): void;
  /** What came back so far. */
  readonly heard: readonly string[];
  /** Resolves when that many lines have come back. */
  until(count: number): Promise<void>;
}

export interface EndOptions {
  /** Keeps NET_RAW and NET_ADMIN. */
  readonly isStrong?: boolean;
  /** Has no IPv6 address. */
  readonly isOld?: boolean;
  /** Its program runs with process ids of its own, below the process that it has here, as an engine's does. */
  readonly isApart?: boolean;
  /** Is on no bridge, but beside the host on this device. */
  readonly beside?: string;
}

export interface Ground extends AsyncDisposable {
  readonly netns: string;
  readonly guard: Guard;
  readonly packets: Packets;
  /** The id that an instance of this name has, or will have. */
  idOf(name: string): string;
  /** Makes number `n`, whose addresses another may have had before. */
  start(name: string, n: number, options?: EndOptions): Promise<End>;
  /** Ends it, its device with it. */
  stop(end: End): Promise<void>;
  /** Runs a program on the host. */
  onHost(program: string, ...args: string[]): string;
  talk(from: End, to: End): Promise<Talk>;
}

function toPlace({ id, pid }: Place): Place {
  return { id, pid };
}

/** As control would say it. */
export function asGuest(end: End, calls?: GuestCalls): Guest {
  const port = { bridge: BRIDGE, mac: end.mac, addresses: [end.v4, end.v6].filter(Boolean) };
  return { ...toPlace(end), ports: [port], ...(calls === undefined ? {} : { calls }) };
}

/** Everybody who is not ready is held back. */
export function makeOrder(ready: readonly Guest[], more: Partial<GateOrder> = {}): GateOrder {
  return { bridges: [BRIDGE], ready, shortcuts: [], look: true, ...more };
}

/** Where processes are put into groups; hosts have one tree, or one for each kind. */
function findGroups(): string {
  const root = "/sys/fs/cgroup";
  return existsSync(`${root}/cgroup.procs`) ? root : `${root}/pids`;
}

async function spawnInside(netns: string, words: readonly string[]): Promise<Child> {
  const args = [`--net=/run/netns/${netns}`, ...words];
  const child = spawn("nsenter", args, { stdio: ["pipe", "pipe", "ignore"] });
  await once(child, "spawn");
  return child;
}

/** Makes a host; `open` is given the path of its namespace. */
export async function openGround(open: (netns: string) => Guard): Promise<Ground> {
  const ledger = openLedger();
  const host = `${ledger.tag}-g`;
  createNamespace(ledger, host);
  const onHost = (program: string, ...args: string[]): string =>
    runInNamespace(host, program, args);
  onHost("ip", "link", "add", BRIDGE, "type", "bridge");
  onHost("ip", "address", "add", "10.66.0.254/24", "dev", BRIDGE);
  onHost("ip", "address", "add", "fd66::fe/64", "dev", BRIDGE, "nodad");
  onHost("ip", "link", "set", BRIDGE, "up");
  const packets = startPackets({ quietMs: QUIET_MS });
  await packets.open("host", `/run/netns/${host}`);
  await packets.serve("host", SERVED);
  const children = new Map<string, Child[]>();

  const namespaceOf = (name: string): string => `${ledger.tag}-${name}`;
  const idOf = (name: string): string =>
    createHash("sha256").update(namespaceOf(name)).digest("hex");

  async function start(name: string, n: number, options: EndOptions = {}): Promise<End> {
    const netns = namespaceOf(name);
    createNamespace(ledger, netns);
    const inside = (program: string, ...args: string[]): string =>
      runInNamespace(netns, program, args);
    const [mac, v4, v6] = [`02:42:0a:42:00:0${n}`, `10.66.0.${n}`, `fd66::${n}`];
    if (options.beside === undefined) {
      const peer = ["peer", "name", "eth0", "netns", netns];
      onHost("ip", "link", "add", `v-${name}`, "type", "veth", ...peer);
      onHost("ip", "link", "set", `v-${name}`, "master", BRIDGE, "up");
    } else {
      const own = ["link", options.beside, "name", "eth0", "netns", netns];
      onHost("ip", "link", "add", ...own, "type", "macvlan", "mode", "bridge");
    }
    inside("ip", "link", "set", "eth0", "address", mac, "up");
    inside("ip", "address", "add", `${v4}/24`, "dev", "eth0");
    if (options.isOld !== true) inside("ip", "address", "add", `${v6}/64`, "dev", "eth0", "nodad");
    const weak = ["setpriv", "--bounding-set=-net_raw,-net_admin"];
    const id = idOf(name);
    const group = `${findGroups()}/${ledger.tag}-ends/${id}`;
    mkdirSync(group, { recursive: true });
    const join = `echo $$ > ${group}/cgroup.procs && exec unshare --pid --fork --kill-child "$@"`;
    const apart = options.isApart === true ? ["sh", "-c", join, "-"] : [];
    const words = [...apart, ...(options.isStrong === true ? [] : weak), "sleep", "1000"];
    const sleeper = await spawnInside(netns, words);
    writeFileSync(`${group}/cgroup.procs`, String(sleeper.pid));
    const talker = await spawnInside(netns, [process.execPath, TALK, "serve", String(TALK_PORT)]);
    await once(createInterface({ input: talker.stdout }), "line");
    children.set(name, [sleeper, talker]);
    await packets.open(name, `/run/netns/${netns}`);
    await packets.serve(name, SERVED);
    const address6 = options.isOld === true ? "" : v6;
    return { id, pid: sleeper.pid ?? 0, name, netns, mac, v4, v6: address6, inside };
  }

  async function stop({ name }: Pick<End, "name">): Promise<void> {
    for (const child of children.get(name) ?? []) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    children.delete(name);
  }

  async function talk(from: End, to: End): Promise<Talk> {
    const words = [process.execPath, TALK, "call", to.v4, String(TALK_PORT)];
    const child = await spawnInside(from.netns, words);
    children.set(from.name, [...(children.get(from.name) ?? []), child]);
    const lines = createInterface({ input: child.stdout });
    const heard: string[] = [];
    await once(lines, "line");
    lines.on("line", (line) => heard.push(line));
    return {
      heard,
      say: (line) => void child.stdin.write(`${line}\n`),
      async until(count) {
        while (heard.length < count) await once(lines, "line");
      },
    };
  }

  return {
    netns: host,
    guard: open(`/run/netns/${host}`),
    packets,
    idOf,
    start,
    async stop(end) {
      await stop(end);
      runProgram("ip", ["-n", end.netns, "link", "del", "eth0"]);
    },
    onHost,
    talk,
    async [Symbol.asyncDispose]() {
      for (const name of children.keys()) await stop({ name });
      await packets[Symbol.asyncDispose]();
      ledger.clear();
    },
  };
}

/** One question by both protocols and both families. */
export function probeAll(from: End, to: End, port: number, expect: boolean): readonly Probe[] {
  return [to.v4, to.v6].flatMap((address) =>
    (["TCP", "UDP"] as const).map((protocol) => ({
      from: from.name,
      address,
      protocol,
      port,
      expect,
    })),
  );
}

/** Whether each of a list of questions is answered as expected, by real packets; returns those that are not. */
export async function findWrong(
  { packets }: Ground,
  cases: readonly (readonly [from: End, to: End, port: number, expect: boolean])[],
): Promise<readonly string[]> {
  const probes = cases.flatMap((one) => probeAll(...one));
  const answers = await packets.ask(probes);
  return probes.flatMap(({ from, address, protocol, port, expect }, index) =>
    answers[index] === expect
      ? []
      : [
          `${from} -> ${address} ${protocol}/${port}: ${answers[index] === true ? "" : "not "}answered`,
        ],
  );
}
