// SPDX-License-Identifier: Apache-2.0
// An agent in a container with a guarded Docker API: the ordinary Docker CLI works on its own containers, and on nothing else.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { AuditVerification } from "@fairlead/protocol/audit.ts";
import Docker from "dockerode";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const FILE = `
name: crew
services:
  boss:
    image: ${IMAGE}
    stop_grace_period: 0s
    labels: { fairlead.docker: "guarded images=busybox:* count=3 memory=64m cpus=0.5 ttl=1h" }
  rival:
    image: ${IMAGE}
    stop_grace_period: 0s
    labels: { fairlead.docker: "guarded images=busybox:lab" }
  victim:
    image: ${IMAGE}
    environment: { SECRET: canary-of-the-victim }
    stop_grace_period: 0s
`;

let scenario: Scenario;
let boss: string;
let rival: string;
let victim: string;

interface Ran {
  readonly code: number;
  readonly out: string;
}

/** The Docker CLI on a socket; what it is given stands for itself, there is no shell. */
function docker(socket: string, args: readonly string[], input = ""): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile("docker", ["-H", `unix://${socket}`, ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : 1, out: `${stdout}${stderr}`.trim() }),
    );
    child.stdin?.end(input);
  });
}

async function works(socket: string, args: readonly string[], input?: string): Promise<string> {
  const { code, out } = await docker(socket, args, input);
  assert.equal(code, 0, `docker ${args.join(" ")}: ${out}`);
  return out;
}

async function isRefused(socket: string, args: readonly string[], why: RegExp): Promise<void> {
  const { code, out } = await docker(socket, args);
  assert.notEqual(code, 0, `docker ${args.join(" ")} worked: ${out}`);
  assert.match(out, why, `docker ${args.join(" ")}`);
}

function send(
  socketPath: string,
  method: string,
  path: string,
  body = "",
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = body === "" ? {} : { "content-type": "application/json" };
    const sent = request({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    sent.on("error", reject).end(body);
  });
}

/** Sends bytes as they are, and reads until the other side ends or answers. */
function sendRaw(socketPath: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(socketPath, () => socket.end(text));
    socket.setEncoding("latin1").on("data", (chunk: string) => (answer += chunk));
    socket.on("close", () => resolve(answer)).on("error", reject);
  });
}

before(async () => {
  scenario = await openScenario();
  await scenario.up(scenario.file(FILE));
  const { rig } = scenario;
  const sockets = join(rig.directory, "fabric", "docker");
  const mounted = async (name: string): Promise<string> => {
    const raw = await rig.engine.inspectRaw(name);
    const mounts = (raw?.["Mounts"] ?? []) as readonly { Source: string; Destination: string }[];
    const source = mounts.find(({ Destination }) => Destination === "/run/fairlead-docker")?.Source;
    assert.ok(source !== undefined && source.startsWith(sockets), `${name} has its socket`);
    return join(source, "docker.sock");
  };
  boss = await mounted("crew-boss-1");
  rival = await mounted("crew-rival-1");
  victim = (await rig.engine.inspectInstance("crew-victim-1"))?.id ?? "";
  assert.equal(readdirSync(sockets).length, 2, "the victim has no socket");
});
after(() => scenario[Symbol.asyncDispose]());

describe("the guarded Docker API", () => {
  test("runs, attaches, executes, copies, follows logs and events with the ordinary CLI", async () => {
    assert.equal(await works(boss, ["run", "--rm", IMAGE, "echo", "hello"]), "hello");
    assert.equal(await works(boss, ["run", "--rm", "-i", IMAGE, "cat"], "by stdin"), "by stdin");
    await works(boss, ["run", "-d", "--name", "tool", IMAGE, "sh", "-c", "echo up; sleep 1000"]);
    assert.equal(await works(boss, ["logs", "tool"]), "up");
    assert.equal(await works(boss, ["exec", "-i", "tool", "cat"], "to exec"), "to exec");
    assert.match(await works(boss, ["ps"]), /\btool\b/);
    const file = join(scenario.rig.directory, "copied");
    mkdirSync(file);
    writeFileSync(join(file, "note"), "a note");
    await works(boss, ["cp", join(file, "note"), "tool:/tmp/note"]);
    assert.equal(await works(boss, ["exec", "tool", "cat", "/tmp/note"]), "a note");
    await works(boss, ["cp", "tool:/bin/busybox", join(file, "busybox")]);
    await works(boss, ["rename", "tool", "tool2"]);
    await works(boss, ["update", "--memory", "32m", "--memory-swap", "32m", "tool2"]);
    const events = ["events", "--since", "1h", "--until", "0s", "--format", "{{json .Actor}}"];
    const seen = await works(boss, events);
    assert.match(seen, /"name":"tool"/);
    assert.doesNotMatch(seen, /victim/);
  });

  test("bounds what is made, and gives it to its owner", async () => {
    const raw = await scenario.rig.engine.inspectRaw("crew.boss.tool2");
    const host = raw?.["HostConfig"] as Readonly<Record<string, unknown>>;
    assert.deepEqual(
      [host["NanoCpus"], host["PidsLimit"], host["NetworkMode"], host["SecurityOpt"]],
      [500_000_000, 256, "none", ["no-new-privileges:true"]],
    );
    const { Labels = {} } = (raw?.["Config"] ?? {}) as {
      Labels?: Readonly<Record<string, string>>;
    };
    assert.equal(Labels["io.fairlead.agent"], "crew/boss");
    assert.equal(Labels["fairlead.ttl"], "3600s");
    await isRefused(boss, ["update", "--memory", "1g", "--memory-swap", "1g", "tool2"], /at most/);
    await works(boss, ["create", "--name", "two", IMAGE]);
    await works(boss, ["create", "--name", "three", IMAGE]);
    await isRefused(boss, ["create", IMAGE], /as many as there may be/);
    await works(boss, ["rm", "two", "three"]);
    const many = await Promise.all([1, 2, 3, 4, 5].map(() => docker(boss, ["create", IMAGE])));
    assert.equal(many.filter(({ code }) => code === 0).length, 2, "also when asked at once");
    await works(boss, ["container", "prune", "-f"]);
  });

  test("dockerode works on it unchanged: makes, attaches, executes, copies, follows events, removes", async () => {
    const client = new Docker({ socketPath: boss });
    const events = (await client.getEvents({
      filters: { event: ["start"] },
    })) as IncomingMessage;
    const started = new Promise<string>((resolve) => {
      events.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    });
    const create = {
      Image: IMAGE,
      name: "rode",
      Cmd: ["sh", "-c", "read x; echo got $x; sleep 1000"],
    };
    const made = await client.createContainer({ ...create, OpenStdin: true });
    const stream = await made.attach({ stream: true, stdin: true, stdout: true, hijack: true });
    const heard = new Promise<string>((resolve) => {
      stream.once("data", (chunk: Buffer) => resolve(chunk.subarray(8).toString()));
    });
    await made.start();
    stream.write("it\n");
    assert.equal(await heard, "got it\n");
    stream.end();
    assert.match(await started, /"name":"rode"/);
    events.destroy();
    const exec = await made.exec({ Cmd: ["cat", "/etc/hostname"], AttachStdout: true });
    const out = await exec.start({ hijack: true, stdin: false });
    let said = "";
    for await (const chunk of out) said += String(chunk);
    assert.ok(said.includes((await made.inspect()).Config.Hostname));
    const file = await made.getArchive({ path: "/bin/busybox" });
    let sizeBytes = 0;
    for await (const chunk of file) sizeBytes += Buffer.from(chunk).length;
    assert.ok(sizeBytes > 100_000);
    const [listed, ...others] = await client.listContainers({ filters: { name: ["^/rode"] } });
    assert.deepEqual([listed?.Names, others], [["/rode"], []]);
    assert.deepEqual(
      (await client.listImages()).flatMap(({ RepoTags }) => RepoTags),
      [IMAGE],
    );
    const refused = (work: Promise<unknown>) =>
      work.then(
        () => "worked",
        (error: { statusCode?: number; json?: { message?: string } }) =>
          `${error.statusCode} ${error.json?.message}`,
      );
    const host = { HostConfig: { Privileged: true } };
    assert.match(
      await refused(client.createContainer({ ...create, ...host })),
      /^403 FL1901: .*Privileged/,
    );
    assert.match(await refused(client.getContainer(victim).inspect()), /^404 FL1903/);
    assert.match(await refused(client.pull("busybox:1")), /^403 /);
    assert.match(await refused(client.buildImage("/dev/null")), /^403 /);
    await made.remove({ force: true });
  });

  test("S07: every way to the host or to another's container is refused", async () => {
    const asks: readonly (readonly [readonly string[], RegExp])[] = [
      [["--privileged"], /Privileged/],
      [["-v", "/:/host"], /Binds/],
      [["-v", "named:/data"], /Binds/],
      [["--mount", "type=bind,source=/,target=/host"], /Mounts/],
      [["--mount", "type=volume,source=shared,target=/x"], /Source/],
      [["--mount", "type=volume,target=/x,volume-opt=type=none,volume-opt=o=bind"], /DriverConfig/],
      [["--volumes-from", "crew-victim-1"], /VolumesFrom/],
      [["--pid", "host"], /PidMode/],
      [["--ipc", "host"], /IpcMode/],
      [["--uts", "host"], /UTSMode/],
      [["--userns", "host"], /UsernsMode/],
      [["--cgroupns", "host"], /CgroupnsMode/],
      [["--network", "host"], /NetworkMode/],
      [["--network", "container:crew-victim-1"], /NetworkMode/],
      [["--network", "crew_default"], /NetworkMode/],
      [["--cap-add", "SYS_ADMIN"], /CapAdd/],
      [["--device", "/dev/kmsg"], /Devices/],
      [["--device-cgroup-rule", "a *:* rwm"], /DeviceCgroupRules/],
      [["--security-opt", "apparmor=unconfined"], /SecurityOpt/],
      [["--security-opt", "seccomp=unconfined"], /SecurityOpt/],
      [["--sysctl", "net.ipv4.ip_forward=1"], /Sysctls/],
      [["--cgroup-parent", "/"], /CgroupParent/],
      [["--runtime", "other"], /Runtime/],
      [["--oom-score-adj", "-1000"], /OomScoreAdj/],
      [["--ulimit", "nofile=9999"], /Ulimits/],
      [["--restart", "always"], /RestartPolicy/],
      [["-p", "80:80"], /PortBindings/],
      [["-P"], /PublishAllPorts/],
      [["--log-driver", "syslog"], /LogConfig/],
      [["--group-add", "0"], /GroupAdd/],
      [["--link", "crew-victim-1"], /Links/],
      [["--memory", "1g"], /at most/],
      [["--label", "io.fairlead.agent=crew/rival"], /Fairlead's to set/],
      [["--label", "Fairlead.ttl=900h"], /Fairlead's to set/],
    ];
    for (const [flags, why] of asks) await isRefused(boss, ["create", ...flags, IMAGE], why);
    await isRefused(boss, ["create", "node:lab"], /the image may only be/);
    for (const verb of ["logs", "inspect", "stop", "kill", "rm", "start", "export", "top", "wait"])
      for (const name of ["crew-victim-1", victim, victim.slice(0, 12), victim.slice(0, 2)])
        await isRefused(boss, ["container", verb, name], /[Nn]o such container/);
    await isRefused(boss, ["cp", "crew-victim-1:/bin/busybox", "-"], /No such container/);
    await isRefused(boss, ["exec", "crew-victim-1", "env"], /No such container/);
    await isRefused(boss, ["exec", "--privileged", "tool2", "id"], /Privileged/);
    await isRefused(rival, ["container", "inspect", "tool2"], /[Nn]o such container/);
    const context = join(scenario.rig.directory, "context");
    mkdirSync(context);
    writeFileSync(join(context, "Dockerfile"), `FROM ${IMAGE}\n`);
    for (const args of [
      ["build", context],
      ["pull", IMAGE],
      ["rmi", IMAGE],
      ["info"],
      ["network", "ls"],
      ["volume", "ls"],
      ["swarm", "init"],
      ["plugin", "ls"],
      ["system", "df"],
      ["commit", "tool2", "x"],
      ["top", "tool2", "-o", "pid"],
    ])
      await isRefused(boss, args, /FL1901/);
    for (const text of [await works(rival, ["ps", "-aq"]), await works(boss, ["ps", "-aq"])])
      assert.ok(!text.includes(victim.slice(0, 12)));
    assert.equal((await scenario.instances("crew")).filter((i) => i.state === "running").length, 4);
  });

  test("S07: an address or a body with a second reading is refused, and reaches no engine", async () => {
    scenario.proxy.forget();
    const own = `/v1.41/containers/${victim}`;
    for (const [method, path] of [
      ["GET", `${own}/archive?path=/etc/shadow`],
      ["GET", `/containers/${victim}/attach/ws?stdin=1&stream=1`],
      ["GET", "/v1.41/_ping/../containers/json"],
      ["GET", "//containers/json"],
      ["GET", "/V1.41/Containers/json"],
      ["GET", "/Containers/json"],
      ["GET", `/containers/%2e%2e/containers/${victim}/json`],
      ["GET", `/containers/${victim}%2fjson`],
      ["GET", "/containers/json;x"],
      ["GET", "/containers/json/"],
      ["GET", "/v1.41/v1.41/containers/json"],
      ["GET", "/containers/json?filters={}&filters={}"],
      ["GET", "/containers/json?all=1&ALL=0"],
      ["POST", "/services/create"],
      ["POST", "/plugins/pull"],
      ["POST", "/build?remote=http://169.254.169.254/"],
      ["POST", "/images/create?fromSrc=http://169.254.169.254/&repo=x"],
      ["POST", "/images/load"],
      ["POST", `/containers/${victim}/update`],
      ["POST", `/containers/${victim}/rename?name=x`],
      ["POST", "/networks/crew_default/connect"],
      ["POST", "/grpc"],
      ["POST", "/session"],
    ] as const) {
      const { status, text } = await send(boss, method, path, method === "POST" ? "{}" : "");
      assert.ok([400, 403, 404].includes(status), `${method} ${path}: ${status} ${text}`);
      assert.match((JSON.parse(text) as { message: string }).message, /^FL190[123]: /);
    }
    const image = `"Image":"${IMAGE}"`;
    for (const body of [
      `{${image},"HostConfig":{},"hostconfig":{"Privileged":true}}`,
      `{${image},"HostConfig":{"privileged":true}}`,
      `{${image},"HostConfig":{"Privileged":false,"Privileged":true}}`,
      `{${image},"HostConfig":{"\\u0050rivileged":true}}`,
      `{${image},"HostConfig":{"Bind\u017f":["/:/x"]}}`,
      `{${image},"__proto__":{"HostConfig":{"Privileged":true}}}`,
      `{${image},"HostConfig":[{"Privileged":true}]}`,
      `{${image}}{"HostConfig":{"Privileged":true}}`,
      `{${image},"x":${"[".repeat(100)}${"]".repeat(100)}}`,
      `{${image},"Env":["${"x".repeat(1_100_000)}"]}`,
    ]) {
      const { status } = await send(boss, "POST", "/containers/create", body);
      assert.ok([400, 403].includes(status), `${status} for ${body.slice(0, 100)}`);
    }
    const head =
      "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    const evil = `{${image},"HostConfig":{"Privileged":true}}`;
    for (const raw of [
      `${head}Content-Length: 0\r\n\r\n${evil}`,
      `${head}Content-Length: 5\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`,
      `${head}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n${evil}`,
      `${head}Transfer-Encoding: xchunked\r\n\r\n${evil}`,
      `POST /exec/${"a".repeat(64)}/start HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\nPOST /build HTTP/1.1\r\n\r\n`,
      `POST /build HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n`,
    ])
      assert.match(await sendRaw(boss, raw), /^HTTP\/1\.1 4\d\d /, raw.slice(0, 120));
    assert.deepEqual(
      scenario.proxy.writes().filter(({ path }) => !path.includes("crew-")),
      [],
      "nothing that writes has reached the engine",
    );
  });

  test("every call is a line of the audit log, each that writes a decision of the agent", async () => {
    scenario.proxy.forget();
    await works(boss, ["restart", "-t", "0", "tool2"]);
    assert.ok(
      scenario.proxy.writes().every(({ decision }) => decision?.startsWith("dec_") === true),
    );
    const made = await scenario.decisions("crew");
    const restart = made.find(({ title }) => title === "restarted tool2");
    assert.equal(restart?.actor, "agent crew/boss");
    const list = ["audit", "ls", "--kind", "docker", "-n", "1000", "-o", "json"];
    const { stdout } = await scenario.rig.cli(list);
    assert.match(stdout, /"what": ?"POST \/containers\/\{id\}\/restart"/);
    assert.match(stdout, /HostConfig\.Privileged may not be set/);
    assert.doesNotMatch(stdout, /canary/);
    const { body } = await scenario.rig.ask<AuditVerification>("audit/verification");
    assert.deepEqual(body.findings, []);
    assert.equal(body.whole, true);
  });

  test("a node that starts anew opens the same sockets; without the service there is none", async () => {
    const { rig } = scenario;
    await rig.endNode("SIGKILL");
    await rig.startNode();
    await until("the socket answers", 20_000, async () => (await docker(boss, ["ps"])).code === 0);
    assert.match(await works(boss, ["ps"]), /tool2/);
    const { code, stderr } = await rig.cli(["down", "--scope", "crew", "--progress", "quiet"]);
    assert.equal(code, 0, stderr);
    assert.notEqual((await docker(boss, ["ps"])).code, 0);
  });
});
