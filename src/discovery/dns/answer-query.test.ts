// SPDX-License-Identifier: Apache-2.0
// Answers as another implementation reads them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type Asked,
  dataOf,
  decodeAnswer,
  type Decoded,
  encodeQuestion,
} from "#discovery/testing/ask-dns.ts";
import { answerQuery, type AnswerContext, type Outcome } from "./answer-query.ts";
import { decodeName, encodeName, isWithin } from "./wire.ts";
import { createZone, type Zone } from "./zone.ts";

function buildZone(): Zone {
  const zone = createZone({ serverAddresses: ["10.0.0.1"] });
  const ports = [{ name: "http", port: 8080, protocol: "tcp" as const }];
  zone.put({
    scope: "shop",
    name: "web",
    members: [
      { label: "1", addresses: ["10.0.0.11", "fd00::11"], ports },
      { label: "2", addresses: ["10.0.0.12"], ports },
    ],
  });
  zone.put({ scope: "shop", name: "sick", members: [] });
  zone.put({ scope: "lab", name: "planner", members: [{ addresses: ["10.0.0.20"], ports: [] }] });
  const many = Array.from({ length: 100 }, (_, i) => ({
    label: `${i}`,
    addresses: [`10.1.0.${i}`],
    ports,
  }));
  zone.put({ scope: "shop", name: "many", members: many });
  return zone;
}

const ZONE = buildZone();

function contextOf(over: Partial<AnswerContext> = {}): AnswerContext {
  const transport = "udp" as const;
  const times = { ttlSeconds: 2, negativeTtlSeconds: 1 };
  return { zone: ZONE, transport, recursion: false, ...times, turn: 0, ...over };
}

function bytesOf(outcome: Outcome): Buffer {
  assert.equal(outcome.kind, "answer");
  return outcome.kind === "answer" ? outcome.bytes : Buffer.alloc(0);
}

function ask(name: string, asked: Asked = {}, over: Partial<AnswerContext> = {}): Decoded {
  return decodeAnswer(bytesOf(answerQuery(encodeQuestion(name, asked), contextOf(over))));
}

const rcodeOf = (bytes: Buffer): number => bytes.readUInt8(3) & 15;
const rcodeFor = (query: Buffer): number => rcodeOf(bytesOf(answerQuery(query, contextOf())));

describe("records", () => {
  test("A and AAAA have the addresses of healthy instances, for at most 5 s", () => {
    const answer = ask("web.shop.fairlead.internal");
    assert.deepEqual(dataOf(answer.answers), ["10.0.0.11", "10.0.0.12"]);
    assert.ok(answer.flag_aa);
    for (const record of answer.answers ?? []) assert.ok("ttl" in record && record.ttl === 2);
    const six = ask("web.shop.fairlead.internal", { type: "AAAA" });
    assert.deepEqual(dataOf(six.answers), ["fd00::11"]);
  });

  test("each turn begins with another address", () => {
    const first = dataOf(ask("web.shop.fairlead.internal", {}, { turn: 0 }).answers)[0];
    const second = dataOf(ask("web.shop.fairlead.internal", {}, { turn: 1 }).answers)[0];
    assert.notEqual(first, second);
  });

  test("SRV names each instance and its port, with the addresses beside", () => {
    const answer = ask("_http._tcp.web.shop.fairlead.internal", { type: "SRV" });
    assert.deepEqual(
      (answer.answers ?? []).map((record) => (record.type === "SRV" ? record.data : undefined)),
      [
        { priority: 0, weight: 0, port: 8080, target: "1.web.shop.fairlead.internal" },
        { priority: 0, weight: 0, port: 8080, target: "2.web.shop.fairlead.internal" },
      ],
    );
    assert.deepEqual(dataOf(answer.additionals), ["10.0.0.11", "fd00::11", "10.0.0.12"]);
    const target = ask("2.web.shop.fairlead.internal");
    assert.deepEqual(dataOf(target.answers), ["10.0.0.12"]);
  });

  test("an agent is a name of its own", () => {
    assert.deepEqual(dataOf(ask("planner.lab.fairlead.internal").answers), ["10.0.0.20"]);
  });

  test("PTR leads from an address to the instance, in both families", () => {
    const four = ask("11.0.0.10.in-addr.arpa", { type: "PTR" });
    assert.deepEqual(dataOf(four.answers), ["1.web.shop.fairlead.internal"]);
    const nibbles = Array.from("fd000000000000000000000000000011").reverse().join(".");
    const six = ask(`${nibbles}.ip6.arpa`, { type: "PTR" });
    assert.deepEqual(dataOf(six.answers), ["1.web.shop.fairlead.internal"]);
  });

  test("the zone has SOA and NS, and the name server its address", () => {
    assert.equal(ask("fairlead.internal", { type: "SOA" }).answers?.length, 1);
    const ns = ask("fairlead.internal", { type: "NS" });
    assert.deepEqual(dataOf(ns.answers), ["dns.fairlead.internal"]);
    assert.deepEqual(dataOf(ns.additionals), ["10.0.0.1"]);
  });

  test("ANY gets a small HINFO instead of everything", () => {
    const answer = ask("many.shop.fairlead.internal", { type: "ANY" });
    assert.deepEqual(dataOf(answer.answers), [{ cpu: "RFC8482", os: "" }]);
  });
});

describe("negative answers", () => {
  test("a name that does not exist is NXDOMAIN with the zone's SOA", () => {
    const answer = ask("nothing.shop.fairlead.internal");
    assert.equal(answer.rcode, "NXDOMAIN");
    const [soa] = answer.authorities ?? [];
    assert.ok(soa?.type === "SOA" && soa.name === "fairlead.internal");
    assert.ok((soa.data.minimum ?? 99) <= 5 && (soa.ttl ?? 99) <= 5);
  });

  const present: readonly (readonly [string, string, string])[] = [
    ["a type that the name does not have", "planner.lab.fairlead.internal", "AAAA"],
    ["TXT", "web.shop.fairlead.internal", "TXT"],
    ["a service without a healthy instance", "sick.shop.fairlead.internal", "A"],
    ["a scope", "shop.fairlead.internal", "A"],
    ["what only has names below", "_tcp.web.shop.fairlead.internal", "A"],
    ["an address asked for something else", "11.0.0.10.in-addr.arpa", "A"],
  ];
  for (const [what, name, type] of present) {
    test(`${what} is an empty answer, not NXDOMAIN`, () => {
      const answer = ask(name, { type });
      assert.equal(answer.rcode, "NOERROR");
      assert.equal(answer.answers?.length, 0);
      assert.equal(answer.authorities?.length, 1);
    });
  }

  test("while a zone is being filled no name of it is denied", () => {
    const zone = createZone({ isFilling: true });
    zone.put({ scope: "s", name: "a", members: [] });
    assert.equal(ask("a.s.fairlead.internal", {}, { zone }).rcode, "NOERROR");
    assert.equal(ask("b.s.fairlead.internal", {}, { zone }).rcode, "SERVFAIL");
    assert.equal(ask("b.s.fairlead.internal", { type: "SRV" }, { zone }).rcode, "SERVFAIL");
    zone.complete();
    assert.equal(ask("b.s.fairlead.internal", {}, { zone }).rcode, "NXDOMAIN");
  });

  test("a removed service is gone with all its names, and its scope with the last one", () => {
    const zone = createZone();
    const members = [{ label: "1", addresses: ["10.9.0.1"], ports: [] }];
    zone.put({ scope: "s", name: "a", members });
    zone.put({ scope: "s", name: "b", members: [] });
    zone.remove("s", "a");
    for (const name of ["a.s.fairlead.internal", "1.a.s.fairlead.internal"])
      assert.equal(ask(name, {}, { zone }).rcode, "NXDOMAIN");
    assert.equal(ask("1.0.9.10.in-addr.arpa", { type: "PTR" }, { zone }).rcode, "REFUSED");
    assert.equal(ask("s.fairlead.internal", {}, { zone }).rcode, "NOERROR");
    zone.remove("s", "b");
    assert.equal(ask("s.fairlead.internal", {}, { zone }).rcode, "NXDOMAIN");
  });

  test("what a service has put before is not answered after it is put again", () => {
    const zone = createZone();
    for (const address of ["10.9.0.1", "10.9.0.2"])
      zone.put({ scope: "s", name: "a", members: [{ addresses: [address], ports: [] }] });
    assert.deepEqual(dataOf(ask("a.s.fairlead.internal", {}, { zone }).answers), ["10.9.0.2"]);
  });
});

describe("sizes", () => {
  test("without EDNS an answer has at most 512 bytes, keeps what fits and says that it is cut", () => {
    const bytes = bytesOf(answerQuery(encodeQuestion("many.shop.fairlead.internal"), contextOf()));
    assert.ok(bytes.length <= 512);
    const answer = decodeAnswer(bytes);
    assert.ok(answer.flag_tc);
    assert.ok((answer.answers?.length ?? 0) > 20);
  });

  test("with EDNS it has what was asked for, at most 1,232 bytes", () => {
    const query = encodeQuestion("many.shop.fairlead.internal", { edns: 4096 });
    const bytes = bytesOf(answerQuery(query, contextOf()));
    assert.ok(bytes.length > 512 && bytes.length <= 1_232);
    const opt = decodeAnswer(bytes).additionals?.find((record) => record.type === "OPT");
    assert.equal(opt?.type === "OPT" ? opt.udpPayloadSize : 0, 1_232);
  });

  test("over TCP the answer is whole", () => {
    const answer = ask("many.shop.fairlead.internal", {}, { transport: "tcp" });
    assert.equal(answer.answers?.length, 100);
    assert.equal(answer.flag_tc, false);
  });

  test("no question of 60 bytes or less gets 512 without asking for it", () => {
    const types = fc.constantFrom("A", "AAAA", "SRV", "ANY", "TXT", "NS", "SOA");
    const names = fc.constantFrom(
      "many.shop",
      "web.shop",
      "_http._tcp.many.shop",
      "no.shop",
      "shop",
    );
    fc.assert(
      fc.property(names, types, (name, type) => {
        const query = encodeQuestion(`${name}.fairlead.internal`, { type });
        assert.ok(bytesOf(answerQuery(query, contextOf())).length <= 512);
      }),
    );
  });
});

describe("what is refused", () => {
  test("the letter case of the question is kept (0x20)", () => {
    const query = encodeQuestion("wEb.ShOp.FAIRlead.inTERnal");
    const answer = bytesOf(answerQuery(query, contextOf()));
    assert.deepEqual(answer.subarray(12, query.length), query.subarray(12));
    assert.equal(decodeAnswer(answer).answers?.length, 2);
  });

  test("an outside name is refused to strangers and forwarded for clients that want it", () => {
    assert.equal(ask("example.org").rcode, "REFUSED");
    assert.equal(ask("example.org", { flags: 0 }, { recursion: true }).rcode, "REFUSED");
    const outcome = answerQuery(encodeQuestion("example.org"), contextOf({ recursion: true }));
    assert.equal(outcome.kind, "forward");
  });

  test("no name of the zone is ever asked upstream", () => {
    const query = encodeQuestion("nothing.fairlead.internal");
    assert.equal(answerQuery(query, contextOf({ recursion: true })).kind, "answer");
  });

  test("zone transfers and other classes are refused", () => {
    assert.equal(ask("fairlead.internal", { type: "AXFR" }).rcode, "REFUSED");
    assert.equal(ask("web.shop.fairlead.internal", { class: "CH" }).rcode, "REFUSED");
  });

  test("other operations are not implemented, with their code repeated", () => {
    const query = encodeQuestion("web.shop.fairlead.internal", { flags: 0x2800 });
    const answer = bytesOf(answerQuery(query, contextOf()));
    assert.equal(rcodeOf(answer), 4);
    assert.equal(answer.readUInt16BE(2) & 0x7800, 0x2800);
  });

  test("a newer EDNS is BADVERS", () => {
    const query = encodeQuestion("web.shop.fairlead.internal", { edns: 1232 });
    query.writeUInt8(1, query.length - 5);
    const answer = bytesOf(answerQuery(query, contextOf()));
    assert.equal(rcodeOf(answer), 0);
    assert.equal(answer.readUInt8(answer.length - 6), 1);
  });

  test("answers and fragments of a header are met with silence", () => {
    const answer = bytesOf(answerQuery(encodeQuestion("web.shop.fairlead.internal"), contextOf()));
    assert.equal(answerQuery(answer, contextOf()).kind, "noise");
    assert.equal(answerQuery(Buffer.alloc(11), contextOf()).kind, "noise");
  });

  const good = encodeQuestion("web.shop.fairlead.internal", { edns: 1232 });
  const broken: Readonly<Record<string, Buffer>> = {
    "a name that points to itself": Buffer.concat([
      good.subarray(0, 12),
      Buffer.from([0xc0, 12, 0, 1, 0, 1]),
    ]),
    "a label longer than 63": Buffer.concat([good.subarray(0, 12), Buffer.alloc(300, 0x41)]),
    "a name longer than 255": Buffer.concat([
      good.subarray(0, 12),
      ...Array.from({ length: 10 }, () => Buffer.concat([Buffer.from([30]), Buffer.alloc(30, 65)])),
      Buffer.from([0, 0, 1, 0, 1]),
    ]),
    "a question that is cut off": good.subarray(0, 20),
    "an OPT record that is cut off": good.subarray(0, good.length - 1),
    "bytes after the end": Buffer.concat([good, Buffer.from([0])]),
    "two questions": Buffer.concat([good.subarray(0, 4), Buffer.from([0, 2]), good.subarray(6)]),
  };
  for (const [what, bytes] of Object.entries(broken)) {
    test(`${what} is FORMERR`, () => assert.equal(rcodeFor(bytes), 1));
  }
});

describe("names", () => {
  test("a dot or a zone inside of a label is no border", () => {
    const zone = encodeName("fairlead.internal");
    assert.ok(isWithin(encodeName("a.fairlead.internal"), zone));
    const hidden = `\x13x${zone.slice(0, -1)}\0`;
    assert.equal(hidden.endsWith(zone), true);
    assert.equal(isWithin(hidden, zone), false);
    assert.equal(decodeName("\x03a.b\0"), "a\\046b");
  });

  test("what is encoded is decoded", () => {
    const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 8 }), (labels) => {
        assert.equal(decodeName(encodeName(labels.join("."))), labels.join("."));
      }),
    );
  });

  test("an empty part, a long part and a long name are refused", () => {
    for (const name of ["a..b", "a".repeat(64), "abcdefg.".repeat(40)])
      assert.throws(() => encodeName(name), { name: "FairleadError" });
  });
});
