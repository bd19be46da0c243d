# SPDX-License-Identifier: Apache-2.0
"""The cases by Debian's grpcio against a server, with mutual TLS. Arguments: address, authority, certificate, key.

Reads names of cases, one a line, and answers each with `ok`, or with what was wrong.
"""
import queue
import sys
import traceback

import grpc
import health_pb2
import health_pb2_grpc
import test_service_pb2 as pb
import test_service_pb2_grpc

METADATA = (("x-grpc-test-echo-initial", "test_initial_metadata_value"),
            ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"))
GZIP = grpc.Compression.Gzip
TRUE = pb.BoolValue(value=True)
FALSE = pb.BoolValue(value=False)
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def payload(size):
    return pb.Payload(body=bytes(size))


def large(**more):
    return pb.SimpleRequest(response_size=314159, payload=payload(271828), **more)


def wanted(*sizes, **more):
    return pb.StreamingOutputCallRequest(
        response_parameters=[pb.ResponseParameters(size=size) for size in sizes], **more)


def expect(isSo, what):
    if not isSo:
        raise AssertionError(what)


def expect_code(code, call):
    try:
        call()
    except grpc.RpcError as error:
        expect(error.code() == code, f"{error.code()}, not {code}: {error.details()}")
        return error
    raise AssertionError(f"it went well, without {code}")


class Requests:
    """What a stream sends, one at a time, as its user says."""

    def __init__(self):
        self._queue = queue.SimpleQueue()

    def send(self, request):
        self._queue.put(request)

    def close(self):
        self._queue.put(None)

    def __iter__(self):
        return iter(self._queue.get, None)


@case
def empty_unary(stub, _):
    expect(stub.EmptyCall(pb.Empty(), timeout=20) == pb.Empty(), "not empty")


@case
def large_unary(stub, _):
    expect(len(stub.UnaryCall(large()).payload.body) == 314159, "another size")


@case
def client_compressed_unary(stub, _):
    expect_code(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.UnaryCall(large(expect_compressed=TRUE)))
    for compression, flag in ((GZIP, TRUE), (None, FALSE)):
        got = stub.UnaryCall(large(expect_compressed=flag), compression=compression)
        expect(len(got.payload.body) == 314159, "another size")


@case
def server_compressed_unary(stub, _):
    for flag in (TRUE, FALSE):
        expect(len(stub.UnaryCall(large(response_compressed=flag)).payload.body) == 314159, "another size")


@case
def client_streaming(stub, _):
    requests = [pb.StreamingInputCallRequest(payload=payload(size)) for size in (27182, 8, 1828, 45904)]
    expect(stub.StreamingInputCall(iter(requests)).aggregated_payload_size == 74922, "another sum")


@case
def client_compressed_streaming(stub, _):
    first = pb.StreamingInputCallRequest(payload=payload(27182), expect_compressed=TRUE)
    second = pb.StreamingInputCallRequest(payload=payload(45904), expect_compressed=TRUE)
    expect_code(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.StreamingInputCall(iter([first])))
    got = stub.StreamingInputCall(iter([first, second]), compression=GZIP)
    expect(got.aggregated_payload_size == 73086, "another sum")


@case
def server_streaming(stub, _):
    got = [len(one.payload.body) for one in stub.StreamingOutputCall(wanted(31415, 9, 2653, 58979))]
    expect(got == [31415, 9, 2653, 58979], got)


@case
def server_compressed_streaming(stub, _):
    request = pb.StreamingOutputCallRequest(response_parameters=[
        pb.ResponseParameters(size=31415, compressed=TRUE), pb.ResponseParameters(size=92653, compressed=FALSE)])
    got = [len(one.payload.body) for one in stub.StreamingOutputCall(request)]
    expect(got == [31415, 92653], got)


@case
def ping_pong(stub, _):
    requests = Requests()
    answers = stub.FullDuplexCall(iter(requests))
    for size, sent in ((31415, 27182), (9, 8), (2653, 1828), (58979, 45904)):
        requests.send(wanted(size, payload=payload(sent)))
        expect(len(next(answers).payload.body) == size, "another size")
    requests.close()
    expect(list(answers) == [], "more than was asked for")


@case
def empty_stream(stub, _):
    expect(list(stub.FullDuplexCall(iter([]))) == [], "something")


def expect_metadata(call):
    expect(METADATA[0] in tuple((key, value) for key, value in call.initial_metadata()), call.initial_metadata())
    expect(METADATA[1] in tuple((key, value) for key, value in call.trailing_metadata()), call.trailing_metadata())


@case
def custom_metadata(stub, _):
    _, unary = stub.UnaryCall.with_call(large(), metadata=METADATA)
    expect_metadata(unary)
    stream = stub.FullDuplexCall(iter([wanted(314159, payload=payload(271828))]), metadata=METADATA)
    expect(len(list(stream)) == 1, "not one answer")
    expect_metadata(stream)


def expect_status(message, stub):
    status = pb.EchoStatus(code=2, message=message)
    calls = (lambda: stub.UnaryCall(pb.SimpleRequest(response_status=status)),
             lambda: list(stub.FullDuplexCall(iter([pb.StreamingOutputCallRequest(response_status=status)]))))
    for call in calls:
        error = expect_code(grpc.StatusCode.UNKNOWN, call)
        expect(error.details() == message, error.details())


@case
def status_code_and_message(stub, _):
    expect_status("test status message", stub)
    # special_status_message of the same descriptions: white space and characters beyond ASCII.
    expect_status("\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n", stub)


@case
def unimplemented_method(stub, _):
    expect_code(grpc.StatusCode.UNIMPLEMENTED, lambda: stub.UnimplementedCall(pb.Empty()))


@case
def unimplemented_service(_, channel):
    stub = test_service_pb2_grpc.UnimplementedServiceStub(channel)
    expect_code(grpc.StatusCode.UNIMPLEMENTED, lambda: stub.UnimplementedCall(pb.Empty()))


@case
def cancel_after_begin(stub, _):
    call = stub.StreamingInputCall.future(iter(Requests()))
    call.cancel()
    expect(call.cancelled() and call.code() == grpc.StatusCode.CANCELLED, call.code())


@case
def cancel_after_first_response(stub, _):
    requests = Requests()
    answers = stub.FullDuplexCall(iter(requests))
    requests.send(wanted(31415, payload=payload(27182)))
    expect(len(next(answers).payload.body) == 31415, "another size")
    answers.cancel()
    expect_code(grpc.StatusCode.CANCELLED, lambda: next(answers))


@case
def timeout_on_sleeping_server(stub, _):
    requests = Requests()
    requests.send(wanted(31415, payload=payload(27182)))
    expect_code(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: list(stub.FullDuplexCall(iter(requests), timeout=0.001)))
    # With time enough to reach the server, whose deadline it is too.
    sleeping = pb.StreamingOutputCallRequest(
        response_parameters=[pb.ResponseParameters(size=1, interval_us=60_000_000)])
    expect_code(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: list(stub.FullDuplexCall(iter([sleeping]), timeout=1)))


@case
def many_at_once(stub, _):
    request = pb.SimpleRequest(response_size=2000, payload=payload(2000))
    calls = [stub.UnaryCall.future(request) for _ in range(1000)]
    expect(all(len(call.result().payload.body) == 2000 for call in calls), "another size")


@case
def large_headers(stub, _):
    value = "x" * 40_000
    _, call = stub.UnaryCall.with_call(pb.SimpleRequest(), metadata=(("x-grpc-test-echo-initial", value),))
    expect(("x-grpc-test-echo-initial", value) in tuple(tuple(one) for one in call.initial_metadata()), "not the same")


@case
def message_above_the_limit(stub, _):
    expect_code(grpc.StatusCode.RESOURCE_EXHAUSTED,
                lambda: stub.UnaryCall(pb.SimpleRequest(payload=payload(5_000_000))))


@case
def health(_, channel):
    stub = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

    def ask(service):
        return health_pb2.HealthCheckRequest(service=service)

    for service in ("", "grpc.testing.TestService"):
        expect(stub.Check(ask(service)).status == serving, service)
    expect_code(grpc.StatusCode.NOT_FOUND, lambda: stub.Check(ask("nobody")))
    first = stub.Watch(ask(""))
    expect(next(first).status == serving, "the first message does not say that it serves")
    late = stub.Watch(ask("late"))
    expect(next(late).status == unknown, "a service that is not there is no error")
    stub.Check(ask("start late"))
    expect(next(late).status == serving, "that it serves later is not told")
    expect(first.is_active() and late.is_active(), "a watch was ended")
    first.cancel()
    late.cancel()


def main():
    address, *paths = sys.argv[1:5]
    authority, certificate, key = (open(path, "rb").read() for path in paths)
    credentials = grpc.ssl_channel_credentials(authority, key, certificate)
    options = (("grpc.max_metadata_size", 65_536),)
    with grpc.secure_channel(address, credentials, options=options) as channel:
        stub = test_service_pb2_grpc.TestServiceStub(channel)
        for line in sys.stdin:
            try:
                CASES[line.strip()](stub, channel)
                print("ok", flush=True)
            except Exception:  # whatever it is, the test shows it
                print(repr(traceback.format_exc()), flush=True)


if __name__ == "__main__":
    main()
