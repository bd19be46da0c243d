// SPDX-License-Identifier: Apache-2.0
// What DNS can say, kept ready as bytes. One writer puts and removes services as they change; reading is a look-up.
import { encodeAddress, encodeName, parentOf, reverseName, TYPE } from "./wire.ts";
import type { NameKey } from "./wire.ts";

/** A port that has a name: SRV answers for `_<name>._<protocol>.<service>.<scope>`. */
export interface ZonePort {
  readonly name: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
}

/** One healthy instance of a service, or an agent itself. */
export interface ZoneMember {
  /** Its own name below the service's: `1` in `1.web.shop`. Absent where service and member are one, as with an agent. */
  readonly label?: string;
  /** IPv4 and IPv6 addresses. */
  readonly addresses: readonly string[];
  readonly ports: readonly ZonePort[];
  /** Only its ports lead to it, as on another host: SRV names it, and who asks for the service's address is not told it. */
  readonly isByPort?: boolean;
}

/** A service or an agent, with those of its instances that are healthy now; none is an answer too. */
export interface ZoneService {
  readonly scope: string;
  readonly name: string;
  readonly members: readonly ZoneMember[];
  /** The address that stands for all of them, if it has one: `address.web.shop` is told it. */
  readonly addresses?: readonly string[];
}

/** One record without its owner: what stands behind the length, and for SRV the name that is to be looked up next. */
export interface Rdata {
  readonly bytes: Buffer;
  readonly target?: NameKey;
}

/** A name that exists, with its records by type. It may have none: there are names below it, or nothing healthy. */
export interface ZoneNode {
  readonly records: ReadonlyMap<number, readonly Rdata[]>;
}

/** What answering needs of a zone. Synchronous, and never a partly applied change. */
export interface ZoneView {
  /** `fairlead.internal` as a key: everything in it is answered here and asked nowhere else. */
  readonly apex: NameKey;
  /** Start of authority, sent with every negative answer. */
  readonly soa: Buffer;
  find(name: NameKey): ZoneNode | undefined;
  /** Whether a name that is not here does not exist. Until then it may be one that was not told yet. */
  readonly isWhole: boolean;
}

export interface ZoneOptions {
  /** Name below which everything stands. */
  readonly apex?: string;
  /** Addresses of this server, for `dns.<apex>`. */
  readonly serverAddresses?: readonly string[];
  /** First serial number; it grows with each change. */
  readonly serial?: number;
  /** Seconds for which nothing may be remembered as missing. */
  readonly negativeTtlSeconds?: number;
  /** Whether it says of no name that it does not exist before `complete()`. Default false. */
  readonly isFilling?: boolean;
}

export interface Zone extends ZoneView {
  /** Puts a service in place of the one of that scope and name. Throws `dns-name-unusable`, `dns-address-unusable`. */
  put(service: ZoneService): void;
  /** Forgets a service; its names are not there any more. */
  remove(scope: string, name: string): void;
  /** All that is known has been put. */
  complete(): void;
}

interface Contribution {
  readonly owner: NameKey;
  /** Undefined: the name is there, without records. */
  readonly type: number | undefined;
  readonly rdata: Rdata;
}

interface Node extends ZoneNode {
  readonly records: Map<number, Rdata[]>;
  /** Contributions here and names below: at zero the name is gone. */
  holds: number;
}

const NOTHING = Buffer.alloc(0);

/** Below a service's name: no member is called so, since instances have numbers. */
const OWN_ADDRESS = "address";

function contributeAddresses(owner: NameKey, addresses: readonly string[]): Contribution[] {
  return addresses.map((address) => {
    const bytes = encodeAddress(address);
    return { owner, type: bytes.length === 4 ? TYPE.A : TYPE.AAAA, rdata: { bytes } };
  });
}

function encodeSrv(port: number, target: NameKey): Rdata {
  const bytes = Buffer.alloc(6 + target.length);
  bytes.writeUInt16BE(port, 4);
  bytes.write(target, 6, "latin1");
  return { bytes, target };
}

function listContributions(service: ZoneService, apex: string): Contribution[] {
  const name = `${service.name}.${service.scope}.${apex}`;
  const owner = encodeName(name);
  // Instances on a host's network share an address; the service has it once.
  const open = service.members.filter(({ isByPort }) => isByPort !== true);
  const all = new Set(open.flatMap(({ addresses }) => addresses));
  const found: Contribution[] = [
    { owner, type: undefined, rdata: { bytes: NOTHING } },
    ...contributeAddresses(owner, [...all]),
    ...contributeAddresses(encodeName(`${OWN_ADDRESS}.${name}`), service.addresses ?? []),
  ];
  for (const member of service.members) {
    const own = member.label === undefined ? owner : encodeName(`${member.label}.${name}`);
    if (own !== owner) found.push(...contributeAddresses(own, member.addresses));
    for (const address of member.isByPort === true ? [] : member.addresses) {
      const rdata = { bytes: Buffer.from(own, "latin1") };
      found.push({ owner: reverseName(encodeAddress(address)), type: TYPE.PTR, rdata });
    }
    for (const { name: port, protocol, port: number } of member.ports) {
      const place = encodeName(`_${port}._${protocol}.${name}`);
      found.push({ owner: place, type: TYPE.SRV, rdata: encodeSrv(number, own) });
    }
  }
  return found;
}

function encodeSoa(server: NameKey, apexKey: NameKey, minimumSeconds: number): Buffer {
  const names = Buffer.from(`${server}${String.fromCharCode(10)}hostmaster${apexKey}`, "latin1");
  const numbers = Buffer.alloc(20);
  [1, 60, 10, 600, minimumSeconds].forEach((value, i) => numbers.writeUInt32BE(value, i * 4));
  return Buffer.concat([names, numbers]);
}

/** An empty zone. Throws `dns-name-unusable` when the apex is no name. */
export function createZone(options: ZoneOptions = {}): Zone {
  const { apex = "fairlead.internal", negativeTtlSeconds = 1 } = options;
  const apexKey = encodeName(apex);
  const serverKey = encodeName(`dns.${apex}`);
  const soa = encodeSoa(serverKey, apexKey, negativeTtlSeconds);
  const serialAt = soa.length - 20;
  let serial = options.serial ?? 1;
  let isWhole = options.isFilling !== true;
  const nodes = new Map<NameKey, Node>();
  const services = new Map<string, readonly Contribution[]>();

  function hold(owner: NameKey): Node {
    const known = nodes.get(owner);
    if (known !== undefined) {
      known.holds++;
      return known;
    }
    const node: Node = { records: new Map(), holds: 1 };
    nodes.set(owner, node);
    const parent = parentOf(owner);
    if (parent !== undefined && owner !== apexKey && owner.endsWith(apexKey)) hold(parent);
    return node;
  }

  function release(owner: NameKey): void {
    const node = nodes.get(owner);
    if (node === undefined || --node.holds > 0) return;
    nodes.delete(owner);
    const parent = parentOf(owner);
    if (parent !== undefined && owner !== apexKey && owner.endsWith(apexKey)) release(parent);
  }

  function add({ owner, type, rdata }: Contribution): void {
    const node = hold(owner);
    if (type === undefined) return;
    const records = node.records.get(type);
    if (records === undefined) node.records.set(type, [rdata]);
    else records.push(rdata);
  }

  /** All at once, so that a service of a thousand members is no million of comparisons. */
  function drop(contributions: readonly Contribution[]): void {
    const gone = new Set(contributions.map(({ rdata }) => rdata));
    const places = new Map(
      contributions.map(({ owner, type }) => [`${type} ${owner}`, { owner, type }]),
    );
    for (const { owner, type } of places.values()) {
      const records = type === undefined ? undefined : nodes.get(owner)?.records;
      if (records === undefined || type === undefined) continue;
      const rest = (records.get(type) ?? []).filter((rdata) => !gone.has(rdata));
      if (rest.length === 0) records.delete(type);
      else records.set(type, rest);
    }
    for (const { owner } of contributions) release(owner);
  }

  function replace(id: string, contributions: readonly Contribution[] | undefined): void {
    const former = services.get(id) ?? [];
    // What is new comes first: a name that stays is there at every moment.
    contributions?.forEach(add);
    drop(former);
    if (contributions === undefined) services.delete(id);
    else services.set(id, contributions);
    serial = (serial + 1) >>> 0;
    soa.writeUInt32BE(serial, serialAt);
  }

  const server = contributeAddresses(serverKey, options.serverAddresses ?? []);
  const nameServer = { bytes: Buffer.from(serverKey, "latin1"), target: serverKey };
  add({ owner: apexKey, type: TYPE.NS, rdata: nameServer });
  add({ owner: apexKey, type: TYPE.SOA, rdata: { bytes: soa } });
  add({ owner: serverKey, type: undefined, rdata: { bytes: NOTHING } });
  server.forEach(add);
  soa.writeUInt32BE(serial, serialAt);

  return {
    apex: apexKey,
    soa,
    find: (name) => nodes.get(name),
    get isWhole() {
      return isWhole;
    },
    complete: () => void (isWhole = true),
    put: (service) => replace(`${service.scope}/${service.name}`, listContributions(service, apex)),
    remove: (scope, name) => {
      if (services.has(`${scope}/${name}`)) replace(`${scope}/${name}`, undefined);
    },
  };
}
