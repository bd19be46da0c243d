// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Kinds of error of the control room. */
export const controlErrors = defineErrors({
  "no-such-object": {
    id: "FL0701",
    code: "not_found",
    cause: "Nothing that this node knows has that name",
    remedy: "see `fairlead ps -A` for the names there are",
  },
  "ambiguous-name": {
    id: "FL0702",
    code: "invalid_argument",
    cause: "Several objects have that name",
    remedy: "add --scope SCOPE, or write service/NAME or the name of an instance",
  },
  "plan-out-of-date": {
    id: "FL0703",
    code: "aborted",
    cause: "The state or the files have changed since the plan was made",
    remedy: "make a new plan with `fairlead plan` and look at it again",
  },
  "engine-away": {
    id: "FL0704",
    code: "unavailable",
    cause: "The engine does not answer, so nothing certain can be said of its containers",
    remedy: "start the engine; Fairlead connects again by itself",
  },
  "scope-conflict": {
    id: "FL0705",
    code: "failed_precondition",
    cause: "The scope is being removed",
    remedy: "wait until `fairlead down` has finished, then run up again",
  },
  "intent-mismatch": {
    id: "FL0706",
    code: "invalid_argument",
    cause: "The intent does not agree with itself",
    remedy: "send it again with the hashes that its content has",
  },
  "act-failed": {
    id: "FL0707",
    code: "internal",
    cause: "An act on the engine did not end as it should",
    remedy: "see `fairlead why` for the decision and the engine's words",
  },
  "not-own": {
    id: "FL0710",
    code: "permission_denied",
    cause:
      "An agent may act on containers of its own service and on those that name it as fairlead.owner",
    remedy: "give the container's service the label fairlead.owner with the agent's name",
  },
  "node-name-taken": {
    id: "FL0711",
    code: "already_exists",
    cause: "Another node of the fleet has the same name and lives",
    remedy:
      "give one of them another name (`join --name`, nodeName in the settings); `fairlead nodes` shows who has it",
  },
  "no-fleet": {
    id: "FL0731",
    code: "failed_precondition",
    cause: "Tokens, marks and a place on a roll are of the nodes of a fleet",
    remedy: "begin one with `fairlead fleet create NAME`, or join one with `fairlead join TOKEN`",
  },
  "address-unreachable": {
    id: "FL0737",
    code: "failed_precondition",
    cause:
      "No other node of the fleet reaches this host: the address is wrong, or UDP or TCP is dropped",
    remedy:
      "say with --address where other hosts reach this one, and let UDP and TCP to the port of fleet.listen pass both ways",
  },
  "host-in-use": {
    id: "FL0745",
    code: "failed_precondition",
    cause:
      "The node belongs to a fleet, or manages scopes: what it has made in the kernel is needed",
    remedy: "`fairlead uninstall` leaves the fleet and removes the scopes first",
  },
  "node-alive": {
    id: "FL0739",
    code: "failed_precondition",
    cause: "A node is removed only when it is gone for good; this one lives, or may live",
    remedy: "run `fairlead leave` on it, or end it first; `fairlead nodes` shows how it is",
  },
  "node-removed": {
    id: "FL0740",
    code: "failed_precondition",
    cause: "Somebody has removed this node from the fleet while it was away",
    remedy: "fairlead leave, then `fairlead join` with a new token",
  },
  "fleet-exists": {
    id: "FL0738",
    code: "already_exists",
    cause: "There is a fleet of that name in this etcd",
    remedy: "join it: `fairlead token create` on one of its nodes; or choose another name",
  },
  "token-unknown": {
    id: "FL0732",
    code: "permission_denied",
    cause: "The fleet knows no such token: it was forged, or is of another fleet on the same etcd",
    remedy: "make one on a node of the fleet: fairlead token create",
  },
  "token-expired": {
    id: "FL0733",
    code: "permission_denied",
    cause: "The token's time is over, by the clock of the fleet's store",
    remedy:
      "make another on a node of the fleet: fairlead token create, with --ttl for a longer time",
  },
  "token-used": {
    id: "FL0734",
    code: "permission_denied",
    cause: "As many hosts as the token was made for have joined with it",
    remedy:
      "make another on a node of the fleet: fairlead token create, with --uses for several hosts",
  },
  "token-revoked": {
    id: "FL0735",
    code: "permission_denied",
    cause: "Somebody has taken the token back",
    remedy: "ask who did (`fairlead token ls` on a node of the fleet), or make another",
  },
  "no-such-token": {
    id: "FL0736",
    code: "not_found",
    cause: "The fleet has no token of that id",
    remedy: "see `fairlead token ls`",
  },
  "fleet-store-away": {
    id: "FL0714",
    code: "unavailable",
    cause: "What is wanted of a fleet stands in its store, and that does not answer",
    remedy: "bring the store back; until then each node keeps what it was last assigned",
  },
  "view-unknown": {
    id: "FL0765",
    code: "unavailable",
    cause:
      "This node does not know yet how the scope stands on all nodes: it has just started, or its fleet's store or engine does not answer",
    remedy: "ask again in a moment, or ask another node of the fleet",
  },
  "intent-unread": {
    id: "FL0762",
    code: "failed_precondition",
    cause:
      "What the fleet wants of a scope was written by a newer version of Fairlead, and has parts that this node does not know",
    remedy:
      "run the newer version on this node too; until then it keeps what it has of the scope, and takes over nothing",
  },
  "image-nowhere": {
    id: "FL0741",
    code: "not_found",
    cause: "No node of the fleet that was asked has the image",
    remedy: "build, load or pull it on one of them; Fairlead looks again by itself",
  },
  "image-not-fetched": {
    id: "FL0742",
    code: "unavailable",
    cause: "Other nodes have the image, but none of them could bring it here whole",
    remedy: "read why in the message; Fairlead tries again by itself",
  },
  "node-unlinked": {
    id: "FL0760",
    code: "unavailable",
    cause: "This node has no way to connect to another one of the fleet now",
    remedy: "it tries again by itself; see `fairlead nodes`",
  },
  "image-differs": {
    id: "FL0743",
    code: "aborted",
    cause: "A node saves an image in other bytes than those that came before a cut",
    remedy: "none is needed: the image is fetched from the beginning",
  },
  "node-silent": {
    id: "FL0744",
    code: "unavailable",
    cause: "What was asked for is on another node of the fleet, and that does not answer",
    remedy: "see `fairlead nodes`, or ask on that host",
  },
  "no-topology": {
    id: "FL0709",
    code: "not_found",
    cause: "Nobody has declared how the agents of this scope may talk",
    remedy: "fairlead topology set FILE; until then everybody may talk to everybody",
  },
  "overlay-ranges": {
    id: "FL0720",
    code: "failed_precondition",
    cause:
      "Addresses for a network that spans hosts overlap others, cannot be shared, or are used up",
    remedy: "name other subnets in the file, or larger ones in overlay.addresses",
  },
  "overlay-no-fleet": {
    id: "FL0721",
    code: "failed_precondition",
    cause:
      "A network with the driver vxlan spans the hosts of a fleet, and this node has none, or does not reach its store",
    remedy: "set fleet.name and store.endpoints, see `fairlead nodes`, or take the driver bridge",
  },
  "no-policy": {
    id: "FL0750",
    code: "not_found",
    cause: "The scope has no policy of that name",
    remedy: "see `fairlead policy ls -A` for those there are",
  },
  "policy-store": {
    id: "FL0751",
    code: "unavailable",
    cause: "The store that keeps policies does not answer; what is enforced stays as it is",
    remedy: "see `fairlead status`, and try again",
  },
  "policies-unread": {
    id: "FL0752",
    code: "failed_precondition",
    cause:
      "The policies that are kept for a scope cannot be read: a newer version of Fairlead wrote them, or they are damaged. What was read of them last stays in force; where nothing was, nobody may talk to anybody",
    remedy:
      "run the version that wrote them on this node too; `fairlead policy rm SCOPE/unreadable` gives them up, and opens the scope",
  },
  "no-rights": {
    id: "FL0757",
    code: "not_found",
    cause: "The scope has no set of rights of that name",
    remedy: "see `fairlead rights ls` for those there are",
  },
  "no-such-user": {
    id: "FL0755",
    code: "not_found",
    cause: "This node's API has no user or token of that name; each node has its own",
    remedy: "see `fairlead user ls` for those there are",
  },
  "too-many-users": {
    id: "FL0756",
    code: "resource_exhausted",
    cause: "A node keeps 1,000 users, and 20 tokens of each that are not over",
    remedy: "remove one that is not used: `fairlead user rm NAME`, `fairlead user revoke NAME ID`",
  },
  "overlay-encryption": {
    id: "FL0722",
    code: "failed_precondition",
    cause: "A network that spans hosts is encrypted on all of them or on none",
    remedy:
      "say the same of `driver_opts: encrypted` and overlay.encryption everywhere; to change it: down, half a minute, up",
  },
  "swarm-away": {
    id: "FL0726",
    code: "failed_precondition",
    cause:
      "A network with `driver: overlay` is made by engines that form a Swarm, and this one is in none",
    remedy:
      "`docker swarm init` or `docker swarm join` on this host; or `driver: vxlan`, which needs no Swarm",
  },
  "swarm-locked": {
    id: "FL0727",
    code: "failed_precondition",
    cause: "The Swarm of this host's engine is locked: it makes no networks until it has its key",
    remedy: "`docker swarm unlock` on this host",
  },
  "swarm-worker": {
    id: "FL0728",
    code: "failed_precondition",
    cause:
      "This host's engine is a worker of its Swarm, and only managers make and show its networks",
    remedy: "`docker node promote HOST` on a manager; or `driver: vxlan`, which needs no Swarm",
  },
  "addresses-exhausted": {
    id: "FL0725",
    code: "resource_exhausted",
    cause: "Every address that services could get is some service's",
    remedy: "name a larger block in serviceAddresses, alike on all nodes",
  },
  "no-network-of-its-own": {
    id: "FL0764",
    code: "failed_precondition",
    cause:
      "Who lives in the host's own network is the host to others: it has no address of its own, and no policy of its own reaches it (FL1701)",
    remedy:
      "ask with the address by which it is seen: of the other's network the gateway's (`docker network inspect`)",
  },
  "flows-untold": {
    id: "FL0758",
    code: "failed_precondition",
    cause:
      "Without nftables conversations are not told apart, so that nobody knows what other policies would say to them",
    remedy: "install nftables on this host, and start the node again",
  },
  "certificate-unknown": {
    id: "FL0761",
    code: "unauthenticated",
    cause:
      "A node's certificate is believed only while the fleet's store says that it is that node's",
    remedy: "see `fairlead identity ls`; a node that was removed joins anew with a token",
  },
});
