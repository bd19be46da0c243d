// SPDX-License-Identifier: Apache-2.0
// Packets under addresses that are not one's own, as every program may send them over IPv6: IPV6_FREEBIND asks for no right.

/** The port they go to, where nobody answers: an answer that is not waited for is complained of, with all that was in it. */
const PORT = 7_900;

const PROGRAM = `
import socket, sys
text, *ways = sys.argv[1:]
for source, target in (way.split() for way in ways):
    scope = socket.if_nametoindex("eth0") if target.startswith("fe80:") else 0
    end = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    end.setsockopt(socket.IPPROTO_IPV6, 78, 1)
    end.bind((source, 0, 0, scope))
    try:
        end.sendto(text.encode(), (target, ${PORT}, 0, scope))
    except PermissionError:
        pass
`;

/** Sends one datagram of UDP with this text for each way, as nobody's user; `inside` runs a program in the sender's network. */
export function sendAs(
  inside: (program: string, ...args: string[]) => unknown,
  text: string,
  ways: readonly (readonly [from: string, to: string])[],
): void {
  const weak = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];
  const words = ways.map((way) => way.join(" "));
  inside("setpriv", ...weak, "/usr/bin/python3", "-c", PROGRAM, text, ...words);
}
