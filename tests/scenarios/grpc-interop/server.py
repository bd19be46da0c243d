# SPDX-License-Identifier: Apache-2.0
"""The test service by Debian's grpcio, with mutual TLS. Arguments: the authority, the certificate and its key, as files.

Prints its port, and ends with its standard input.
"""
import sys
import time
from concurrent import futures

import grpc
import health_pb2
import health_pb2_grpc
import test_service_pb2 as pb
import test_service_pb2_grpc

ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"


def answer(size):
    return pb.Payload(body=bytes(size))


def echo(context):
    for key, value in context.invocation_metadata():
        if key == ECHO_INITIAL:
            context.send_initial_metadata(((key, value),))
        elif key == ECHO_TRAILING:
            context.set_trailing_metadata(((key, value),))


def abort_as_asked(request, context):
    if request.HasField("response_status") and request.response_status.code != 0:
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes[request.response_status.code], request.response_status.message)


class TestService(test_service_pb2_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        return pb.Empty()

    def UnaryCall(self, request, context):
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        echo(context)
        abort_as_asked(request, context)
        return pb.SimpleResponse(payload=answer(request.response_size))

    def StreamingInputCall(self, requests, context):
        return pb.StreamingInputCallResponse(
            aggregated_payload_size=sum(len(request.payload.body) for request in requests))

    def StreamingOutputCall(self, request, context):
        context.set_compression(grpc.Compression.Gzip)
        for wanted in request.response_parameters:
            if not wanted.compressed.value:
                context.disable_next_message_compression()
            yield pb.StreamingOutputCallResponse(payload=answer(wanted.size))

    def FullDuplexCall(self, requests, context):
        echo(context)
        for request in requests:
            abort_as_asked(request, context)
            for wanted in request.response_parameters:
                time.sleep(wanted.interval_us / 1e6)
                yield pb.StreamingOutputCallResponse(payload=answer(wanted.size))


class Health(health_pb2_grpc.HealthServicer):
    def Check(self, request, context):
        if request.service not in ("", "grpc.testing.TestService"):
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return health_pb2.HealthCheckResponse(status="SERVING")


def main():
    authority, certificate, key = (open(path, "rb").read() for path in sys.argv[1:4])
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    test_service_pb2_grpc.add_TestServiceServicer_to_server(TestService(), server)
    health_pb2_grpc.add_HealthServicer_to_server(Health(), server)
    credentials = grpc.ssl_server_credentials(((key, certificate),), authority, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(0).wait()


if __name__ == "__main__":
    main()
