// SPDX-License-Identifier: Apache-2.0
// The cases as the fabric's own gRPC calls them.
import assert from "node:assert/strict";
import type { ClientHttp2Session } from "node:http2";
import { FabricError, type FabricCode } from "@fairlead/fabric/errors.ts";
import { callWith, collect, startCall, type CallOptions } from "./caller.ts";
import { findMethod, makePayload, sizeOf, type Message } from "./messages.ts";

const find = (name: string) => findMethod("grpc.testing.TestService", name);
const EMPTY = find("EmptyCall");
const UNARY = find("UnaryCall");
const INPUT = find("StreamingInputCall");
const OUTPUT = find("StreamingOutputCall");
const DUPLEX = find("FullDuplexCall");
const LARGE = { response_size: 314_159, payload: makePayload(271_828) };
const METADATA = {
  "x-grpc-test-echo-initial": "test_initial_metadata_value",
  "x-grpc-test-echo-trailing-bin": Buffer.from([0xab, 0xab, 0xab]).toString("base64"),
};

const ask = (size: number, payloadBytes = 0): Message => ({
  response_parameters: [{ size }],
  payload: makePayload(payloadBytes),
});

function hasCode(code: FabricCode): (thrown: unknown) => boolean {
  return (thrown) => {
    assert.ok(thrown instanceof FabricError, String(thrown));
    assert.equal(thrown.code, code, thrown.message);
    return true;
  };
}

type Case = (session: ClientHttp2Session) => Promise<void>;

async function sizesOf(session: ClientHttp2Session, request: Message): Promise<readonly unknown[]> {
  const answers = await collect(callWith(session, OUTPUT, request));
  return answers.map(({ message, wasCompressed }) => [sizeOf(message), wasCompressed]);
}

async function checkUnary(
  session: ClientHttp2Session,
  request: Message,
  compressed = false,
): Promise<boolean> {
  const [answer, ...more] = await collect(callWith(session, UNARY, request, { compressed }));
  assert.deepEqual([sizeOf(answer?.message ?? {}), more.length], [314_159, 0]);
  return answer?.wasCompressed === true;
}

async function checkMetadata(
  session: ClientHttp2Session,
  method: typeof UNARY,
  request: Message,
): Promise<void> {
  const call = callWith(session, method, request, { metadata: METADATA });
  await collect(call);
  const [headers, { trailers }] = [await call.headers, await call.end];
  assert.equal(headers["x-grpc-test-echo-initial"], METADATA["x-grpc-test-echo-initial"]);
  assert.equal(
    trailers["x-grpc-test-echo-trailing-bin"],
    METADATA["x-grpc-test-echo-trailing-bin"],
  );
}

async function checkStatus(session: ClientHttp2Session, message: string): Promise<void> {
  const request = { response_status: { code: 2, message } };
  for (const method of [UNARY, DUPLEX])
    await assert.rejects(collect(callWith(session, method, request)), (thrown) => {
      hasCode("unknown")(thrown);
      assert.equal((thrown as FabricError).message, message);
      return true;
    });
}

async function sendAll(
  session: ClientHttp2Session,
  requests: readonly Message[],
  options: CallOptions = {},
) {
  const call = startCall(session, INPUT, options);
  for (const { compressed, ...request } of requests) call.send(request, compressed === true);
  call.close();
  const [answer] = await collect(call);
  return answer?.message["aggregated_payload_size"];
}

/** By name, as `cases.json` has them. */
export const CALL_CASES: Readonly<Record<string, Case>> = {
  async empty_unary(session) {
    assert.equal((await collect(callWith(session, EMPTY, {}))).length, 1);
  },
  async large_unary(session) {
    await checkUnary(session, LARGE);
  },
  async client_compressed_unary(session) {
    await checkUnary(session, LARGE, true);
    await checkUnary(session, LARGE, false);
  },
  async server_compressed_unary(session) {
    for (const value of [true, false])
      assert.equal(await checkUnary(session, { ...LARGE, response_compressed: { value } }), value);
  },
  async client_streaming(session) {
    const requests = [27_182, 8, 1_828, 45_904].map((size) => ({ payload: makePayload(size) }));
    assert.equal(await sendAll(session, requests), 74_922);
  },
  async client_compressed_streaming(session) {
    const requests = [
      { payload: makePayload(27_182), compressed: true },
      { payload: makePayload(45_904), compressed: false },
    ];
    assert.equal(await sendAll(session, requests), 73_086);
  },
  async server_streaming(session) {
    const sizes = [31_415, 9, 2_653, 58_979];
    const got = await sizesOf(session, { response_parameters: sizes.map((size) => ({ size })) });
    assert.deepEqual(
      got,
      sizes.map((size) => [size, false]),
    );
  },
  async server_compressed_streaming(session) {
    const wanted = [
      { size: 31_415, compressed: { value: true } },
      { size: 92_653, compressed: { value: false } },
    ];
    const got = await sizesOf(session, { response_parameters: wanted });
    assert.deepEqual(got, [
      [31_415, true],
      [92_653, false],
    ]);
  },
  async ping_pong(session) {
    const call = startCall(session, DUPLEX);
    for (const [size = 0, sent] of [
      [31_415, 27_182],
      [9, 8],
      [2_653, 1_828],
      [58_979, 45_904],
    ]) {
      call.send(ask(size, sent));
      assert.equal(sizeOf((await call.next())?.message ?? {}), size);
    }
    call.close();
    assert.deepEqual(await collect(call), []);
  },
  async empty_stream(session) {
    const call = startCall(session, DUPLEX);
    call.close();
    assert.deepEqual(await collect(call), []);
  },
  async custom_metadata(session) {
    await checkMetadata(session, UNARY, LARGE);
    await checkMetadata(session, DUPLEX, ask(314_159, 271_828));
  },
  async status_code_and_message(session) {
    await checkStatus(session, "test status message");
    await checkStatus(session, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n");
  },
  async unimplemented_method(session) {
    await assert.rejects(
      collect(callWith(session, find("UnimplementedCall"), {})),
      hasCode("unimplemented"),
    );
  },
  async unimplemented_service(session) {
    const method = findMethod("grpc.testing.UnimplementedService", "UnimplementedCall");
    await assert.rejects(collect(callWith(session, method, {})), hasCode("unimplemented"));
  },
  async cancel_after_begin(session) {
    const call = startCall(session, INPUT);
    call.cancel();
    await assert.rejects(collect(call), hasCode("canceled"));
  },
  async cancel_after_first_response(session) {
    const call = startCall(session, DUPLEX);
    call.send(ask(31_415, 27_182));
    assert.equal(sizeOf((await call.next())?.message ?? {}), 31_415);
    call.cancel();
    await assert.rejects(collect(call), hasCode("canceled"));
  },
  async timeout_on_sleeping_server(session) {
    const call = startCall(session, DUPLEX, { deadlineMs: 1 });
    call.send(ask(31_415, 27_182));
    await assert.rejects(collect(call), hasCode("deadline_exceeded"));
  },
  async many_at_once(session) {
    // Small ones: what waits in one connection is bounded, and a thousand of the large do not fit.
    const request = { response_size: 2_000, payload: makePayload(2_000) };
    const calls = Array.from({ length: 1_000 }, () => collect(callWith(session, UNARY, request)));
    for (const [answer] of await Promise.all(calls))
      assert.equal(sizeOf(answer?.message ?? {}), 2_000);
  },
  async health(session) {
    const check = findMethod("grpc.health.v1.Health", "Check");
    for (const service of ["", "grpc.testing.TestService"]) {
      const [answer] = await collect(callWith(session, check, { service }));
      assert.equal(answer?.message["status"], 1);
    }
    await assert.rejects(
      collect(callWith(session, check, { service: "nobody" })),
      hasCode("not_found"),
    );
  },
};
