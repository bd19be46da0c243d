# SPDX-License-Identifier: Apache-2.0
"""An agent in Python: joins a node, serves a contract, and calls another agent.

Needs grpcio and protobuf, and what protoc makes of fabric.proto (README.md has the commands).
docs/fabric-protocol.md explains each step.
"""
import json
import os
import queue
import sys
import threading
import uuid

import grpc

import fabric_pb2 as pb
import fabric_pb2_grpc

WINDOW = 1 << 20
UNIMPLEMENTED = 12
INTERNAL = 13


class Link:
    """One link to a node. Call `run` in a thread of its own; `call` may be used from any other."""

    def __init__(self, node, name, scope, contract, version, methods):
        self.name = name
        self.contract = contract
        self.version = version
        self.methods = methods
        self.joined = threading.Event()
        self._scope = scope
        self._node = node
        self._outbox = queue.SimpleQueue()
        self._answers = {}
        self._next = 3  # we dial, so ours are odd; 1 is the joining
        self._lock = threading.Lock()

    def run(self):
        """Serves until the node ends the link; raises grpc.RpcError when it cannot be had."""
        with grpc.insecure_channel(self._node) as channel:
            stub = fabric_pb2_grpc.FabricStub(channel)
            self._say_hello()
            for batch in stub.Link(iter(self._outbox.get, None)):
                for frame in batch.frames:
                    self._take(frame)

    def leave(self):
        self._send(pb.Frame(kind=pb.END, conversation=1))
        self._outbox.put(None)

    def call(self, agent, method, value, timeout=10):
        """Asks another agent; raises RuntimeError with its status, TimeoutError when nobody answers in time."""
        answered = queue.SimpleQueue()
        with self._lock:
            conversation, self._next = self._next, self._next + 2
            self._answers[conversation] = answered
        opening = pb.Open(target=agent, method=method, deadline_ms=int(timeout * 1000))
        self._send(pb.Frame(kind=pb.OPEN, conversation=conversation, credit=WINDOW,
                            open=opening, payload=json.dumps(value).encode()))
        try:
            frame = answered.get(timeout=timeout)
        except queue.Empty:
            self._send(pb.Frame(kind=pb.CANCEL, conversation=conversation))
            raise TimeoutError(f"{agent} did not answer {method} in {timeout} s") from None
        finally:
            self._answers.pop(conversation, None)
        if frame.status.code != 0:
            raise RuntimeError(f"{method}: {frame.status.message} ({frame.status.reason})")
        return json.loads(frame.payload) if frame.payload else None

    def _send(self, frame):
        self._outbox.put(pb.Batch(frames=[frame]))

    def _say_hello(self):
        hello = pb.Hello(version=1, id=f"{self.name}.{uuid.uuid4().hex[:12]}", name=self.name, scope=self._scope,
                         window=WINDOW, payload_max=WINDOW, ticket=os.environ.get("FAIRLEAD_TICKET", ""))
        self._send(pb.Frame(kind=pb.HELLO, hello=hello))
        record = {
            "kind": "agent", "addresses": [], "skills": [], "subscriptions": [], "version": "1.0.0",
            "contracts": [{"name": self.contract, "version": self.version, "methods": list(self.methods)}],
            "tags": {"language": "python"}, "locality": {}, "load": 0, "draining": False, "healthy": True,
            "ttlMs": 15000,
        }
        self._send(pb.Frame(kind=pb.OPEN, conversation=1, credit=WINDOW, payload=json.dumps(record).encode(),
                            open=pb.Open(method="$node/join", streams=True)))

    def _take(self, frame):
        if frame.kind == pb.OPEN:
            self._answer(frame)
        elif frame.conversation == 1:
            if frame.kind == pb.END:
                raise RuntimeError(f"the node let us go: {frame.status.message}")
            self.joined.set()
        elif frame.kind == pb.END and frame.conversation in self._answers:
            self._answers[frame.conversation].put(frame)

    def _answer(self, frame):
        end = pb.Frame(kind=pb.END, conversation=frame.conversation)
        contract, _, method = frame.open.method.partition("/")
        handler = self.methods.get(method) if contract == self.contract else None
        if handler is None:
            end.status.code = UNIMPLEMENTED
            end.status.message = f"{self.name} does not serve {frame.open.method}"
        else:
            try:
                given = json.loads(frame.payload) if frame.payload else None
                end.payload = json.dumps(handler(given, frame.open.caller)).encode()
            except Exception as error:  # the caller is told, the agent lives on
                end.status.code = INTERNAL
                end.status.message = str(error)
        self._send(end)


def count_words(text, caller):
    words = text.split()
    return {"words": len(words), "longest": max(words, key=len, default=""), "for": caller}


def main():
    node = os.environ.get("FAIRLEAD_FABRIC", "unix:/run/fairlead/fabric/fabric.sock")
    scope = os.environ.get("FAIRLEAD_SCOPE", "default")
    link = Link(node, "counter", scope, "words", "1.0.0", {"count": count_words})
    serving = threading.Thread(target=link.run, daemon=True)
    serving.start()
    if not link.joined.wait(10):
        sys.exit(f"no node let us join at {node}")
    print("joined as counter", flush=True)
    if len(sys.argv) == 4:  # agent.py AGENT CONTRACT/METHOD JSON
        print(json.dumps(link.call(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))), flush=True)
        link.leave()
    serving.join()


if __name__ == "__main__":
    main()
