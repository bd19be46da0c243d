// SPDX-License-Identifier: Apache-2.0
// Where the kernel's br_netfilter is on, each packet inside a bridge passes the host's iptables twice, as if it were routed. Old
// engines switch it on for all bridges. For bridges of networks that span hosts that is a cost and decides nothing: the
// engine's rules let pass what stays on one bridge. The kernel asks the host's switch or the bridge's own, so the
// host's is put off, and on at each bridge that is not ours.
import { z } from "zod";
import { FairleadError } from "#base/errors.ts";
import { networkErrors } from "./errors.ts";
import { createIpRunner } from "#netfilter/run-ip.ts";

/** The packets of which bridges pass iptables. */
export interface BridgeFilter {
  /**
   * Lets packets on `own` bridges pass by iptables, and those on all others through it as before; nothing changes where
   * they passed by anyway. No bridge: as it was before the first call of any life. Returns whether anything was changed.
   * Throws FL1305 `ip-tools`, FL1306 `ip-refused`, FL1102 `overlay-refused`.
   */
  bypass(own: readonly string[]): Promise<boolean>;
}

/** The host's switches, and the same of one bridge. */
const SWITCHES = [
  { path: "/proc/sys/net/bridge/bridge-nf-call-iptables", option: "nf_call_iptables" },
  { path: "/proc/sys/net/bridge/bridge-nf-call-ip6tables", option: "nf_call_ip6tables" },
] as const;
type Option = (typeof SWITCHES)[number]["option"];

const Bridges = z.array(
  z.looseObject({
    ifname: z.string(),
    linkinfo: z.looseObject({
      info_data: z.looseObject({
        nf_call_iptables: z.number().optional(),
        nf_call_ip6tables: z.number().optional(),
      }),
    }),
  }),
);

/** Ours, also those of which the engine has the network no more. */
const OWN_NAME = /^flb[0-9a-f]{6}$/;

/** For this host, or for another network namespace of it that a path names. */
export function createBridgeFilter(netns?: string): BridgeFilter {
  const ip = createIpRunner(netns);

  /** Undefined where the kernel has no such switch. */
  async function readSwitch(path: string): Promise<boolean | undefined> {
    const { code, stdout } = await ip.run(["cat", path]);
    return code === 0 ? stdout.trim() === "1" : undefined;
  }

  async function writeSwitch(path: string, on: boolean): Promise<void> {
    const { code, stderr } = await ip.run(["tee", path], on ? "1\n" : "0\n");
    if (code === 0) return;
    throw new FairleadError(networkErrors["overlay-refused"], `${path} cannot be written`, {
      facts: { because: stderr },
    });
  }

  async function listBridges(option: Option) {
    const answer = await ip.ask("ip", ["-d", "link", "show", "type", "bridge"]);
    return Bridges.parse(answer)
      .filter(({ ifname }) => !OWN_NAME.test(ifname))
      .map(({ ifname, linkinfo }) => ({ ifname, isOn: linkinfo.info_data[option] === 1 }));
  }

  async function setBridges(names: readonly string[], option: Option, on: boolean): Promise<void> {
    const lines = names.map((name) => `link set ${name} type bridge ${option} ${on ? "1" : "0"}`);
    const complaint = await ip.batch("ip", lines);
    // One that has just gone is complained of and no harm: it is not there the next time.
    const left = new Set(
      (await listBridges(option)).flatMap(({ ifname, isOn }) => (isOn === on ? [] : [ifname])),
    );
    if (complaint !== "" && names.some((name) => left.has(name)))
      throw new FairleadError(networkErrors["overlay-refused"], complaint.split("\n")[0] ?? "");
  }

  async function turnOff({ path, option }: (typeof SWITCHES)[number]): Promise<boolean> {
    const host = await readSwitch(path);
    const bridges = host === undefined ? [] : await listBridges(option);
    const isOurs = host === false && bridges.some(({ isOn }) => isOn);
    if (host !== true && !isOurs) return false;
    // The others first: there is no moment in which their packets pass by.
    const lacking = bridges.flatMap(({ ifname, isOn }) => (isOn ? [] : [ifname]));
    if (lacking.length > 0) await setBridges(lacking, option, true);
    if (host === true) await writeSwitch(path, false);
    return host === true || lacking.length > 0;
  }

  async function turnBack({ path, option }: (typeof SWITCHES)[number]): Promise<boolean> {
    if ((await readSwitch(path)) !== false) return false;
    const marked = (await listBridges(option)).flatMap(({ ifname, isOn }) => (isOn ? ifname : []));
    // Put off by its owner.
    if (marked.length === 0) return false;
    await writeSwitch(path, true);
    await setBridges(marked, option, false);
    return true;
  }

  return {
    async bypass(own) {
      let isChanged = false;
      for (const one of SWITCHES)
        isChanged = (await (own.length > 0 ? turnOff(one) : turnBack(one))) || isChanged;
      return isChanged;
    },
  };
}
