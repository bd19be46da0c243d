// SPDX-License-Identifier: Apache-2.0
// What the reference says of each setting, besides what the schema says.

/** What the reference says of a setting besides its meaning. */
export interface SettingNotes {
  /** What changes when it is raised or switched. */
  readonly effect: string;
  /** What that costs. */
  readonly cost: string;
  /** The default in words, when it depends on the machine. */
  readonly otherwise?: string;
}

/** Notes by dotted path; a test holds it to the schema. */
export const SETTING_NOTES: Readonly<Record<string, SettingNotes>> = {
  version: { effect: "none", cost: "none" },
  nodeName: { effect: "names this node", cost: "none", otherwise: "the host's name" },
  stateDir: {
    effect: "moves the store",
    cost: "an existing store stays where it was",
    otherwise: "/var/lib/fairlead as root, else $XDG_STATE_HOME/fairlead",
  },
  socket: {
    effect: "moves the socket; commands find it in this file, or are told with FAIRLEAD_SOCKET",
    cost: "none",
    otherwise: "/run/fairlead/fairlead.sock as root, else $XDG_RUNTIME_DIR/fairlead/fairlead.sock",
  },
  listen: {
    effect:
      "off: no page, and no API over TCP; an address that others reach: both for them too, with TLS 1.3",
    cost: "who may use the API may start containers, which is as good as root on the host",
  },
  "api.certFile": {
    effect: "browsers and programs believe the node; a renewed one is shown within seconds",
    cost: "without one, off loopback, people compare the fingerprint that the node's log says",
  },
  "api.keyFile": { effect: "goes with api.certFile", cost: "none" },
  logLevel: { effect: "debug tells every pass", cost: "disk" },
  nodeLabels: {
    effect: "services whose deploy.placement.constraints are not met are not started",
    cost: "none",
  },
  nodeDevices: {
    effect:
      "gpu=2 lets services with two GPUs in their reservations be placed here; nothing said: none",
    cost: "none",
  },
  resyncIntervalMs: {
    effect: "lower repairs missed events sooner",
    cost: "one list of all containers each time",
  },
  "store.kind": {
    effect: "etcd and Consul outlive this host; `fairlead store migrate` takes along what is there",
    cost: "each write takes as long as their majority needs, and there is none while that is away",
  },
  "store.endpoints": { effect: "all members, so that one may be away", cost: "none" },
  "store.prefix": {
    effect: "another one is another store",
    cost: "two nodes must not have the same",
    otherwise: "/fairlead/NODENAME/",
  },
  "store.caFile": { effect: "switches TLS on", cost: "none" },
  "store.certFile": { effect: "needed where the store asks for certificates", cost: "none" },
  "store.keyFile": { effect: "needed with store.certFile", cost: "none" },
  "store.user": { effect: "needed where etcd has users", cost: "none" },
  "store.passwordFile": {
    effect: "needed with store.user, and where Consul's access control is on",
    cost: "none",
  },
  "engine.endpoint": {
    effect: "names the engine",
    cost: "none",
    otherwise: "$DOCKER_HOST, else the current context",
  },
  "engine.parallelism": {
    effect: "higher starts many containers sooner, up to about 32 on two cores",
    cost: "engine memory and latency of other clients",
  },
  "fabric.socket": {
    effect:
      "moves the socket; commands find it in this file, other programs are told with FAIRLEAD_FABRIC",
    cost: "none",
    otherwise: "fabric/fabric.sock in the directory of socket",
  },
  "fabric.listen": {
    effect: "lets programs join that cannot open a socket of this host",
    cost: "frames are not encrypted unless fabric.certFile is said",
  },
  "fabric.caFile": { effect: "needed with fabric.certFile", cost: "none" },
  "fabric.certFile": {
    effect: "whoever dials has to have a certificate too; read again when the files change",
    cost: "see the bench mtls",
  },
  "fabric.keyFile": { effect: "needed with fabric.certFile", cost: "none" },
  "fabric.route": {
    effect: "agents follow it from when they next join",
    cost: "none",
  },
  "fabric.keepGroupsDays": {
    effect: "subscribers may stay away for longer; counted is the time in which the node runs",
    cost: "disk, until the log is full and refuses messages",
  },
  "identity.certFile": {
    effect:
      "that authority signs for this node and its containers; read again when the file changes",
    cost: "its key lies on this host, readable by root",
    otherwise: "Fairlead's own, made when it is needed",
  },
  "identity.keyFile": { effect: "needed with identity.certFile", cost: "none" },
  "identity.caFile": {
    effect: "needed where identity.certFile does not end with who signed itself",
    cost: "whoever these vouch for is believed",
    otherwise: "the last certificate of identity.certFile",
  },
  "dns.listen": {
    effect: "containers that Fairlead makes are told to ask there when its port is 53",
    cost: "names of services can be read by whoever reaches the address",
  },
  "dns.upstreams": {
    effect: "names outside of fairlead.internal are asked there",
    cost: "none",
    otherwise: "the name servers of /etc/resolv.conf",
  },
  "discovery.multicast": {
    effect: "on: it is an error when there is no key; off: nothing is sent to the group",
    cost: "names and addresses of agents can be read by whoever reads the network",
  },
  "discovery.keyFile": {
    effect: "names the key",
    cost: "whoever has it can tell of agents that are not there",
    otherwise: "discovery-key in stateDir, if there is one",
  },
  "discovery.group": { effect: "hosts see those of the same group only", cost: "none" },
  "discovery.port": { effect: "hosts see those of the same port only", cost: "none" },
  "discovery.interface": { effect: "names the network in which hosts are found", cost: "none" },
  "discovery.heartbeatMs": {
    effect: "lower sees sooner that a host is dead",
    cost: "three datagrams a heartbeat from each host to all others",
  },
  "discovery.plainScope": {
    effect: "shows programs that only say HEARTBEAT, with `plain` as their source",
    cost: "anybody in the network can make such a line; nothing is ever sent there",
  },
  "discovery.seeds": {
    effect: "of two nodes one has to name the other",
    cost: "three datagrams a heartbeat to each",
  },
  "discovery.seedsListen": {
    effect: '"off" neither hears nor tells seeds; unused where there is no key',
    cost: "a UDP port that answers nobody without the key",
  },
  "fleet.name": {
    effect: "`fairlead nodes` shows the others of that name, and how they do",
    cost: "ten small datagrams a second",
  },
  "fleet.listen": {
    effect: "moves the port",
    cost: "answers nobody who does not have the fleet's key",
  },
  "fleet.address": {
    effect: "needed where the store is on this host, or other nodes see it at another address",
    cost: "none",
    otherwise: "the address by which this host reaches the first of store.endpoints",
  },
  "fleet.images": {
    effect: "off: each host needs its images from a registry, or loaded",
    cost: "any node of the fleet can read this engine's images",
  },
  serviceAddresses: {
    effect:
      "a larger block has room for more services; one that nobody reaches otherwise hides nothing",
    cost: "what else has an address of the block is not reached from containers and hosts with services",
  },
  "overlay.addresses": {
    effect: "new networks get others; those that are there keep theirs",
    cost: "what is in them is not reached elsewhere by containers",
  },
  "overlay.port": {
    effect: "new networks use it; those that are there keep theirs",
    cost: "the firewalls between the hosts have to let it through, and nobody else to it",
  },
  "overlay.encryption": {
    effect: "wireguard: what such networks carry between hosts can be read by nobody on the way",
    cost: "60 bytes of each packet, and the time to encrypt it; much of it where wireguard-go has to do it",
  },
  "overlay.tunnelPort": {
    effect: "moves the port; other nodes follow",
    cost: "the firewalls between the hosts have to let it through",
  },
  "overlay.rotateDays": {
    effect: "lower: a key that was stolen is of use for a shorter time",
    cost: "packets of some tenths of a second, which TCP sends again",
  },
  "overlay.shortcut": {
    effect:
      "off: packets go over the bridge, where tcpdump and, with br_netfilter, the host's iptables see them",
    cost: "off: more time a packet, most where the engine has switched br_netfilter on (Docker before 27)",
  },
  "audit.headFile": {
    effect: "a log that was cut or put back to an older copy is told by this file too",
    cost: "a small write with each line of the log",
  },
  "audit.file": {
    effect: "what was done can be read, and taken elsewhere, without the state directory",
    cost: "disk, without end: rotate the file, which is opened anew for each write",
  },
  "audit.syslog": {
    effect: "what was done is on another host within a moment",
    cost: "by udp what the network drops is lost; either way acts do not wait for it, and lines beyond 10,000 that wait are lost to it",
  },
  "audit.keepDays": {
    effect:
      "a longer past for audit ls; the log says itself up to which line older ones were removed",
    cost: "disk, up to audit.sizeMaxBytes",
  },
  "audit.sizeMaxBytes": { effect: "a longer past for audit ls", cost: "disk" },
  "decisions.keepDays": {
    effect: "a longer past for why",
    cost: "disk, up to decisions.sizeMaxBytes",
  },
  "decisions.sizeMaxBytes": { effect: "a longer past for why", cost: "disk" },
};
