// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

export { vacateErrors } from "./vacate-errors.ts";

/** Kinds of error of the cli room. */
export const cliErrors = defineErrors({
  "unknown-command": {
    id: "FL0601",
    code: "invalid_argument",
    cause: "There is no such command",
    remedy: "see `fairlead --help`",
  },
  "unknown-flag": {
    id: "FL0602",
    code: "invalid_argument",
    cause: "The command has no such flag",
    remedy: "see `fairlead COMMAND --help`",
  },
  "missing-argument": {
    id: "FL0603",
    code: "invalid_argument",
    cause: "The command or flag needs a value that was not given",
    remedy: "see `fairlead COMMAND --help`",
  },
  "extra-argument": {
    id: "FL0604",
    code: "invalid_argument",
    cause: "The command does not take that many words",
    remedy: "see `fairlead COMMAND --help`",
  },
  "bad-value": {
    id: "FL0605",
    code: "invalid_argument",
    cause: "A flag has a value that it does not take",
    remedy: "give one of the values that the message names",
  },
  "conflicting-flags": {
    id: "FL0606",
    code: "invalid_argument",
    cause: "Two flags ask for opposite things",
    remedy: "leave one of them out",
  },
  "no-compose-file": {
    id: "FL0607",
    code: "invalid_argument",
    cause: "No Compose file was named and none is in this directory or above it",
    remedy: "name one with -f FILE, or change to the directory it is in",
  },
  "unreadable-file": {
    id: "FL0608",
    code: "invalid_argument",
    cause: "A file that was named cannot be read or is not what it should be",
    remedy: "check the path and its permissions",
  },
  "unwritable-file": {
    id: "FL0629",
    code: "failed_precondition",
    cause: "A file that was to be made cannot be written, or is there already",
    remedy: "name another file, or remove the one that is there",
  },
  "part-unreadable": {
    id: "FL0630",
    code: "unavailable",
    cause: "Something that a support bundle tells of could not be read on this host",
    remedy: "the bundle is made without it; see its README.txt",
  },
  "no-such-name": {
    id: "FL0622",
    code: "not_found",
    cause: "Nothing that this node knows has that name",
    remedy: "`fairlead ps -A` lists what there is",
  },
  "no-scope": {
    id: "FL0609",
    code: "invalid_argument",
    cause: "The command acts on one scope, and it is not clear which",
    remedy: "add --scope SCOPE; `fairlead ps -A` lists them",
  },
  "no-topic": {
    id: "FL0610",
    code: "invalid_argument",
    cause: "Neither a code, a label nor a setting has that name",
    remedy: "see `fairlead explain` for the list",
  },
  "node-unreachable": {
    id: "FL0611",
    code: "unavailable",
    cause: "No node answers on this socket",
    remedy:
      "start one with `fairlead up` in a Compose project, or `fairlead node` in the foreground",
  },
  "node-forbidden": {
    id: "FL0612",
    code: "permission_denied",
    cause: "This user may not open the node's socket; whoever may is as good as root on this host",
    remedy: "run the command as the user that started the node, or with sudo",
  },
  "node-answer": {
    id: "FL0613",
    code: "unavailable",
    cause: "What answered does not speak this version of the Fairlead API",
    remedy:
      "compare `fairlead version` with `fairlead status -o json`; restart the node after an upgrade",
  },
  "node-died": {
    id: "FL0614",
    code: "unavailable",
    cause: "The node ended before it was ready",
    remedy: "read the end of its log above, or run `fairlead node` to see it in the foreground",
  },
  "wait-expired": {
    id: "FL0615",
    code: "deadline_exceeded",
    cause: "The scope was not as wanted when the time ran out; the node goes on trying",
    remedy: "see `fairlead why`, or wait longer with --timeout",
  },
  "no-launcher": {
    id: "FL0616",
    code: "unavailable",
    cause: "A file that belongs to Fairlead is missing",
    remedy: "install Fairlead again: `npm ci` in its directory",
  },
  "build-failed": {
    id: "FL0617",
    code: "failed_precondition",
    cause: "The engine could not build the image; nothing was changed",
    remedy: "correct what the builder says above",
  },
  "not-removed": {
    id: "FL0618",
    code: "failed_precondition",
    cause: "Something that Fairlead made is still there",
    remedy: "remove what is listed by hand, or run `fairlead uninstall` again",
  },
  "bad-token": {
    id: "FL0628",
    code: "invalid_argument",
    cause: "What was given is no join token, or not the whole of one",
    remedy: "copy it again, whole, from where `fairlead token create` printed it",
  },
  "in-fleet": {
    id: "FL0623",
    code: "failed_precondition",
    cause: "A node belongs to one fleet at most, and this one has one already",
    remedy: "fairlead leave, then join the other",
  },
  "not-in-fleet": {
    id: "FL0627",
    code: "failed_precondition",
    cause: "There is no fleet that this host could leave",
    remedy: "see `fairlead config show --origin` for its settings",
  },
  "setting-fixed": {
    id: "FL0624",
    code: "failed_precondition",
    cause: "An environment variable sets what has to be written, and would win over the file",
    remedy: "take the variable away from this shell and from the node, then try again",
  },
  "store-in-use": {
    id: "FL0625",
    code: "failed_precondition",
    cause: "This node keeps its own state in another etcd than the fleet's, and can name only one",
    remedy: "take it out first: fairlead store migrate --to sqlite",
  },
  "not-taking-part": {
    id: "FL0626",
    code: "unavailable",
    cause: "The settings are written, but the node does not stand on the fleet's roll yet",
    remedy:
      "read why above and in the node's log; it goes on trying. `fairlead leave` takes it back",
  },
  "no-fabric": {
    id: "FL0690",
    code: "unavailable",
    cause: "The fabric of the node cannot be reached",
    remedy: "start the node: fairlead node; only root and the node's user may open its socket",
  },
  "no-route": {
    id: "FL0930",
    code: "not_found",
    cause: "That agent has called nobody of that name since it joined",
    remedy:
      "name a service or contract that it calls; `fairlead call NAME … --explain` shows your own call",
  },
  "no-agent": {
    id: "FL0691",
    code: "not_found",
    cause: "Nobody of that name has joined the fabric in this scope",
    remedy: "fairlead agents -A",
  },
  "call-failed": {
    id: "FL0692",
    code: "aborted",
    cause: "The agent answered with an error",
    remedy: "read the agent's words in the message",
  },
  "call-expired": {
    id: "FL0693",
    code: "deadline_exceeded",
    cause: "The agent did not answer in time",
    remedy: "wait longer with --timeout, or see `fairlead agents`",
  },
  "connection-lost": {
    id: "FL0619",
    code: "unavailable",
    cause: "The node ended or the connection broke while it answered",
    remedy: "see `fairlead status`, then run the command again",
  },
  "node-runs": {
    id: "FL0621",
    code: "failed_precondition",
    cause: "What is to be done needs a node that does not run",
    remedy: "fairlead node stop, then run the command again; containers go on meanwhile",
  },
  "not-kept": {
    id: "FL0620",
    code: "failed_precondition",
    cause: "What the command is to remember cannot be written to this user's state directory",
    remedy: "correct its permissions, free space, or name another with XDG_STATE_HOME",
  },
});

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
      "Without nftables no policy can be enforced; networks of scopes whose policies are enforced carry nothing then",
    remedy: "install nftables",
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
});
