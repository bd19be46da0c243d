# SPDX-License-Identifier: Apache-2.0
"""Sockets in many network namespaces, held by one process: a socket stays in the namespace in which it was opened.

Reads one JSON document a line from stdin, and answers each with one line:
  open NAME PATH            holds a namespace
  serve NAME PORTS HOSTS    answers whoever comes there: [["TCP", 80], ["UDP", 53]], ["0.0.0.0", "::"]
  ask PROBES QUIET MAX      sends one packet for each, all at once; says of each whether it was answered
  send NAME DEVICE FRAMES   puts frames (hex) on a device
  watch NAME DEVICE NEEDLE  counts frames that come in with these bytes (hex)
  seen                      says how many, for each watch
"""
import ctypes
import errno
import json
import os
import resource
import selectors
import socket
import sys
import time

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
AGAIN_S = 0.15
# Nothing goes out now: it is refused here, or there is no way yet. Of an IPv6 way that is just being made the kernel says EINVAL.
GONE = (errno.EPERM, errno.EACCES, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL)

libc = ctypes.CDLL(None, use_errno=True)
namespaces = {}
selector = selectors.DefaultSelector()
watches = {}


def enter(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def open_in(name, *kind):
    enter(namespaces[name])
    try:
        return socket.socket(*kind)
    finally:
        enter(namespaces[""])


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def accept(listener):
    try:
        one = listener.accept()[0]
        one.send(b"!")
        one.close()
    except OSError:
        pass


def echo(server):
    try:
        data, peer = server.recvfrom(2048)
        server.sendto(data, peer)
    except OSError:
        pass


def count(name, needle, sniffer):
    try:
        while True:
            frame, where = sniffer.recvfrom(65535)
            if where[2] != PACKET_OUTGOING and needle in frame:
                watches[name] += 1
    except BlockingIOError:
        pass
    except OSError:
        # The device is gone.
        selector.unregister(sniffer)
        sniffer.close()


def serve(name, ports, hosts):
    for protocol, port in ports:
        for host in hosts:
            family = family_of(host)
            kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
            one = open_in(name, family, kind)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((host, port))
            one.setblocking(False)
            if protocol == "TCP":
                one.listen(64)
            act = accept if protocol == "TCP" else echo
            selector.register(one, selectors.EVENT_READ, lambda s=one, a=act: a(s))


def start(probe, done):
    """Sends the first packet; `done` is called when it is known to have arrived, or to be refused here."""
    is_stream = probe["protocol"] == "TCP"
    family = family_of(probe["address"])
    one = open_in(probe["from"], family, socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM)
    one.setblocking(False)
    if probe.get("source"):
        one.bind((probe["source"], 0))

    def connected():
        error = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error == 0:
            # A proxy connects whoever comes; only who is behind it says something.
            selector.modify(one, selectors.EVENT_READ, heard)
        elif error not in GONE:
            done(error == errno.ECONNREFUSED)

    def heard():
        try:
            done(one.recv(2048) != b"")
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                done(True)

    try:
        error = one.connect_ex((probe["address"], probe["port"]))
        if not is_stream:
            # It is sent again if it is refused now.
            selector.register(one, selectors.EVENT_READ, heard)
            one.send(b"?")
        elif error in (0, errno.EINPROGRESS):
            selector.register(one, selectors.EVENT_WRITE, connected)
    except OSError as error:
        if error.errno not in GONE:
            raise
    return one


def ask(probes, quiet, most):
    """Until all that are expected to be answered are, and at least so long; what is not answered then is denied."""
    answers = [False] * len(probes)
    sockets = []

    def note(index, answer):
        answers[index] = answer
        if sockets[index] in [key.fileobj for key in selector.get_map().values()]:
            selector.unregister(sockets[index])

    for index, probe in enumerate(probes):
        sockets.append(None)
        sockets[index] = start(probe, lambda answer, i=index: note(i, answer))
    began = again = time.monotonic()
    while True:
        now = time.monotonic()
        lacks = any(probe["expect"] and not answers[i] for i, probe in enumerate(probes))
        if now - began > (most if lacks else quiet):
            break
        for key, _ in selector.select(0.02):
            key.data()
        if now - again > AGAIN_S:
            again = now
            for i, probe in enumerate(probes):
                if probe["protocol"] == "UDP" and not answers[i]:
                    try:
                        sockets[i].send(b"?")
                    except OSError:
                        pass
    for one in sockets:
        try:
            selector.unregister(one)
        except (KeyError, ValueError):
            pass
        one.close()
    return answers


def send(name, device, frames):
    one = open_in(name, socket.AF_PACKET, socket.SOCK_RAW, 0)
    one.bind((device, 0))
    for frame in frames:
        one.send(bytes.fromhex(frame))
    one.close()


def watch(name, device, needle):
    one = open_in(name, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    one.bind((device, ETH_P_ALL))
    one.setblocking(False)
    key = f"{name} {needle}"
    watches[key] = 0
    data = bytes.fromhex(needle)
    selector.register(one, selectors.EVENT_READ, lambda: count(key, data, one))


def obey(order):
    what = order["do"]
    if what == "open":
        namespaces[order["name"]] = os.open(order["path"], os.O_RDONLY)
    elif what == "serve":
        serve(order["name"], order["ports"], order["hosts"])
    elif what == "ask":
        return ask(order["probes"], order["quietMs"] / 1000, order["maxMs"] / 1000)
    elif what == "send":
        send(order["name"], order["device"], order["frames"])
    elif what == "watch":
        watch(order["name"], order["device"], order["needle"])
    elif what == "seen":
        for key, _ in selector.select(0):
            if key.fileobj is not sys.stdin:
                key.data()
        return watches
    else:
        raise ValueError(what)
    return None


def read_line():
    line = sys.stdin.readline()
    if line == "":
        sys.exit(0)
    try:
        answer = {"result": obey(json.loads(line))}
    except OSError as error:
        answer = {"error": f"{error}", "code": errno.errorcode.get(error.errno or 0, "")}
    print(json.dumps(answer), flush=True)


resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
namespaces[""] = os.open("/proc/self/ns/net", os.O_RDONLY)
selector.register(sys.stdin, selectors.EVENT_READ, read_line)
while True:
    for ready, _ in selector.select():
        ready.data()
