// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** What `fairlead doctor` finds. */
export const doctorErrors = defineErrors({
  "engine-silent": {
    id: "FL0850",
    code: "unavailable",
    cause: "No Docker Engine answers, so nothing can be started or healed",
    remedy: "start it (systemctl start docker), or name it with DOCKER_HOST",
  },
  "cgroup-old": {
    id: "FL0852",
    code: "failed_precondition",
    cause: "The host uses cgroup v1, which engines are giving up",
    remedy: "boot with systemd.unified_cgroup_hierarchy=1",
  },
  "storage-slow": {
    id: "FL0853",
    code: "failed_precondition",
    cause: "The storage driver copies whole layers: starting is slow and takes much disk",
    remedy: "use overlay2 on ext4 or xfs",
  },
  "live-restore-off": {
    id: "FL0854",
    code: "failed_precondition",
    cause:
      "When the engine restarts, all containers stop; Fairlead starts them again, but they are away meanwhile",
    remedy:
      'put "live-restore": true into /etc/docker/daemon.json and reload the engine (not with Swarm)',
  },
  "clock-skew": {
    id: "FL0855",
    code: "failed_precondition",
    cause:
      "The engine's clock and this one differ: ages, --since and the order of events are wrong by that much",
    remedy: "synchronise the clocks (chrony, systemd-timesyncd)",
  },
  "engine-warns": {
    id: "FL0856",
    code: "failed_precondition",
    cause: "The engine itself warns of its set-up",
    remedy: "see `docker info` at its end",
  },
  "kernel-feature-missing": {
    id: "FL0857",
    code: "failed_precondition",
    cause: "This kernel lacks a feature; what needs it will use another way or say so",
    remedy: "load the module (modprobe NAME), or use a kernel that has it",
  },
  "no-policy": {
    id: "FL0875",
    code: "failed_precondition",
    cause:
      "Without nftables, and without iptables, ip6tables and ebtables, no policy can be enforced; networks of scopes whose policies are enforced carry nothing then",
    remedy: "install nftables",
  },
  "policy-by-iptables": {
    id: "FL0877",
    code: "failed_precondition",
    cause:
      "Without nftables policies are enforced by iptables: a packet costs more, flows are not told apart, and what it cannot hold is refused (FL1705)",
    remedy: "install nftables, and start the node again",
  },
  "forwarding-off": {
    id: "FL0858",
    code: "failed_precondition",
    cause: "The host does not forward packets: containers reach nothing outside of the host",
    remedy: "sysctl -w net.ipv4.ip_forward=1",
  },
  "firewall-mixed": {
    id: "FL0859",
    code: "failed_precondition",
    cause: "Rules stand in both iptables-legacy and nftables: each sees only its own",
    remedy: "move to one: update-alternatives --config iptables, then restart the engine",
  },
  "port-taken": {
    id: "FL0860",
    code: "failed_precondition",
    cause: "Another program listens on the port of Fairlead's API and page",
    remedy: "stop that program, or give the node another with FAIRLEAD_LISTEN=127.0.0.1:PORT",
  },
  "socket-stale": {
    id: "FL0861",
    code: "failed_precondition",
    cause: "A socket is there, but no node answers on it: a node was killed",
    remedy: "fairlead up starts one in its place",
  },
  "disk-low": {
    id: "FL0862",
    code: "resource_exhausted",
    cause: "The disk is nearly full: images cannot be pulled and decisions cannot be kept",
    remedy: "free space: docker system df, docker image prune",
  },
  "memory-low": {
    id: "FL0863",
    code: "resource_exhausted",
    cause: "Hardly any memory is left: the kernel will end processes",
    remedy: "give services limits (deploy.resources.limits.memory), or stop some",
  },
  "files-limited": {
    id: "FL0864",
    code: "resource_exhausted",
    cause:
      "Few files may be open at once; every container watched and every log followed takes some",
    remedy: "ulimit -n 65536, or LimitNOFILE=65536 in the unit",
  },
  "node-silent": {
    id: "FL0865",
    code: "unavailable",
    cause: "No node runs here, so nothing is healed",
    remedy: "fairlead up in a Compose project, or fairlead node",
  },
  "node-blind": {
    id: "FL0866",
    code: "unavailable",
    cause: "The node runs but its engine does not answer it",
    remedy: "see the engine's checks above; the node connects again by itself",
  },
  "store-readonly": {
    id: "FL0867",
    code: "resource_exhausted",
    cause: "The node cannot write decisions; healing goes on without a record",
    remedy: "free space or correct permissions of the state directory",
  },
  "label-problems": {
    id: "FL0868",
    code: "invalid_argument",
    cause: "Labels or keys in Compose files are not understood and have no effect",
    remedy: "correct them; fairlead explain LABEL says what each takes",
  },
  "multicast-blocked": {
    id: "FL0869",
    code: "unavailable",
    cause:
      "Datagrams to the group do not arrive, so hosts do not find each other by multicast: a firewall, a bridge or the network drops them",
    remedy:
      "let UDP to the group pass (nft list ruleset, ip maddress show), or name the other nodes in discovery.seeds",
  },
  "path-black-hole": {
    id: "FL0870",
    code: "unavailable",
    cause:
      "Large packets between two hosts vanish, and no router says so: connections open and then hang as soon as they carry much",
    remedy:
      "let ICMP (type 3 code 4; ICMPv6 type 2) pass between the hosts, or set the MTU of the host's device to what passes: ip link set DEVICE mtu BYTES",
  },
  "path-unanswered": {
    id: "FL0871",
    code: "unavailable",
    cause:
      "A node of the fleet does not answer packets of any size, so nothing is known of the way to it",
    remedy: "see `fairlead nodes`, and let UDP to fleet.listen pass between the hosts",
  },
  "network-broken": {
    id: "FL0872",
    code: "failed_precondition",
    cause:
      "A network that spans hosts is not on this host as it should be, or its packets do not fit a path",
    remedy:
      "see `fairlead net inspect NAME`; for a network that is too large for a path: down on all hosts, wait half a minute, and up again",
  },
  "network-disbelieved": {
    id: "FL0873",
    code: "failed_precondition",
    cause:
      "Another host says that it has addresses that are not its own; they are not reached from here",
    remedy:
      "see `fairlead net inspect NAME`, and which containers of that host have fixed addresses",
  },
  "network-no-key": {
    id: "FL0874",
    code: "unavailable",
    cause:
      "A host of an encrypted network answers nothing that is encrypted; nothing goes there in clear either",
    remedy: "let UDP to overlay.tunnelPort pass between the hosts, and see `wg show` on both",
  },
  "certificates-ending": {
    id: "FL0876",
    code: "failed_precondition",
    cause:
      "Certificates have run out, end soon without being renewed, or tell of a clock that differs; who has them is not believed then",
    remedy:
      "let the clocks of all hosts be kept by NTP; put another authority into the files of identity.certFile where it ends",
  },
  "certificates-unknown": {
    id: "FL0878",
    code: "unavailable",
    cause:
      "The fleet's store does not answer, where the authority and the certificates of nodes stand; what runs goes on, but a node that starts meanwhile gives its containers no certificates (FL2004)",
    remedy:
      "let the store answer (store.endpoints; `fairlead config show`); a node with an authority in files (identity.certFile) signs without it",
  },
  "policies-unheld": {
    id: "FL0879",
    code: "failed_precondition",
    cause:
      "Not all that policies say holds on this node as it was declared; what cannot be held does not pass",
    remedy:
      "see what is said of it, and `fairlead explain` with its number; `fairlead policy ls` says it too",
  },
});
