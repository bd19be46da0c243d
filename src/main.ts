// SPDX-License-Identifier: Apache-2.0
// The entry point, and the only place that sees both the command line and the node.
import { existsSync, readFileSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { awaitAbort } from "#base/await-abort.ts";
import type { FleetEntered, FleetOrder, StoreCopied, StoreMigration } from "#cli/context.ts";
import { runCli } from "#cli/run-cli.ts";
import { growHeapSlowly } from "#config/process-flags.ts";
import type { Settings } from "#config/settings.ts";

// grpc-js names the host in TLS also where it is an address; whoever types a command cannot mend that.
process.noDeprecation = true;

const root = fileURLToPath(new URL("..", import.meta.url));

function readVersion(): string {
  const manifest: { version?: string } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  return manifest.version ?? "unknown";
}

/** Tells whoever started this process that it answers now. */
function announceReady(page: string | undefined): void {
  if (process.send === undefined || !process.connected) return;
  process.send({ ready: true, page }, () => process.disconnect());
}

async function runNode(settings: Settings, signal: AbortSignal): Promise<number> {
  growHeapSlowly();
  const [{ startNode }, { createJsonLogger }, { createSystemClock }] = await Promise.all([
    import("#node/start-node.ts"),
    import("#node/json-logger.ts"),
    import("#node/system-clock.ts"),
  ]);
  const clock = createSystemClock();
  const write = (line: string) => void process.stderr.write(line);
  const logger = createJsonLogger(write, settings.logLevel, clock.nowMs);
  const page = `${root}packages/web/dist`;
  const version = readVersion();
  await using node = await startNode({
    settings,
    version,
    pageDirectory: existsSync(`${page}/index.html`) ? page : undefined,
    env: process.env,
    clock,
    random: Math.random,
    logger,
  });
  logger.info("the node answers", { version, socket: settings.socket, page: node.page });
  announceReady(node.page);
  // Otherwise it is written at the end, which one that is killed never sees.
  flushCompileCache();
  await Promise.race([awaitAbort(signal), node.failed]);
  logger.info("the node ends; containers go on", { reason: String(signal.reason) });
  return 0;
}

/** What commands need that do a node's work without one. */
async function openParts() {
  const [{ createJsonLogger }, { createSystemClock }] = await Promise.all([
    import("#node/json-logger.ts"),
    import("#node/system-clock.ts"),
  ]);
  const clock = createSystemClock();
  const write = (line: string) => void process.stderr.write(line);
  return { clock, random: Math.random, logger: createJsonLogger(write, "warn", clock.nowMs) };
}

async function migrateStore(order: StoreMigration): Promise<StoreCopied> {
  const migrate = await import("#node/migrate-store.ts");
  return migrate.migrateStore(order, await openParts());
}

async function enterFleet({ settings, proof }: FleetOrder): Promise<FleetEntered> {
  const { createFleet, joinFleet } = await import("#node/enter-fleet.ts");
  const parts = { ...(await openParts()), settings, version: readVersion() };
  return proof === undefined ? createFleet(parts) : joinFleet(parts, proof);
}

/** A terminal that is closed ends what runs in it; a service is told by the same signal to read its settings. */
function onReload(listener: () => void): () => void {
  if (process.stdin.isTTY) return () => undefined;
  process.on("SIGHUP", listener);
  return () => void process.off("SIGHUP", listener);
}

const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    if (stopping.signal.aborted) process.exit(name === "SIGINT" ? 130 : 143);
    stopping.abort(name);
  });
}
// Whoever read our output has seen enough (`fairlead ps | head`).
process.stdout.on("error", (error) =>
  process.exit("code" in error && error.code === "EPIPE" ? 0 : 3),
);

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  uid: process.geteuid?.() ?? -1,
  signal: stopping.signal,
  root,
  version: readVersion(),
  runNode,
  migrateStore,
  enterFleet,
  onReload,
  stdinIsTty: process.stdin.isTTY === true,
  stdout: process.stdout,
  stderr: process.stderr,
});
