// SPDX-License-Identifier: Apache-2.0
// Brings what the machine lacks: Debian packages, the built page. Where it may not, it says what is missing and how.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The project's directory, with a slash at its end. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url));

/** A program that has to be there, and the Debian package that brings it. */
interface Need {
  readonly program: string;
  readonly package: string;
}

const PLACES = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
  // Modules of Debian's Python.
  "/usr/lib/python3/dist-packages",
];

/** What running an engine of the project's own takes. */
export const ENGINE_NEEDS: readonly Need[] = [
  { program: "dockerd", package: "docker.io" },
  { program: "containerd", package: "containerd" },
  { program: "runc", package: "runc" },
  { program: "iptables", package: "iptables" },
  { program: "ip", package: "iproute2" },
  { program: "nsenter", package: "util-linux" },
  { program: "busybox", package: "busybox-static" },
];

/** What a fleet on one machine takes. */
export const FLEET_NEEDS: readonly Need[] = [
  ...ENGINE_NEEDS,
  { program: "etcd", package: "etcd-server" },
];

/** What the tests take besides. */
export const TEST_NEEDS: readonly Need[] = [
  ...ENGINE_NEEDS,
  { program: "nft", package: "nftables" },
  { program: "ebtables-restore", package: "iptables" },
  { program: "tc", package: "iproute2" },
  { program: "ps", package: "procps" },
  { program: "docker-compose", package: "docker-compose" },
  { program: "chromium", package: "chromium" },
  { program: "openssl", package: "openssl" },
  { program: "sslscan", package: "sslscan" },
  { program: "dig", package: "bind9-dnsutils" },
  { program: "kdig", package: "knot-dnsutils" },
  { program: "strace", package: "strace" },
  { program: "tcpdump", package: "tcpdump" },
  { program: "wg", package: "wireguard-tools" },
  { program: "wireguard-go", package: "wireguard-go" },
  { program: "etcd", package: "etcd-server" },
  { program: "mkfs.ext4", package: "e2fsprogs" },
  { program: "protoc", package: "protobuf-compiler" },
  { program: "grpc_python_plugin", package: "protobuf-compiler-grpc" },
  { program: "grpc", package: "python3-grpcio" },
  { program: "google/protobuf", package: "python3-protobuf" },
];

function say(line: string): void {
  process.stderr.write(`set-up: ${line}\n`);
}

function isThere(program: string): boolean {
  return PLACES.some((place) => existsSync(`${place}/${program}`));
}

function fail(missing: readonly string[], why: string): never {
  const names = missing.join(" ");
  process.stderr.write(
    `error FL0803 packages-missing: ${why}\n` +
      `  missing   ${names}\n` +
      `  do        sudo apt-get update && sudo apt-get install --no-install-recommends ${names}\n`,
  );
  process.exit(3);
}

function apt(args: readonly string[]): { status: number | null; stderr: string } {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync("apt-get", args, { env, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
}

/** Installs the packages of what is missing. Exits with 3 where that is not possible. */
export function ensurePackages(needs: readonly Need[]): void {
  const lacking = needs.filter((need) => !isThere(need.program));
  const missing = [...new Set(lacking.map((need) => need.package))];
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) fail(missing, "only root may install them");
  if (!isThere("apt-get"))
    fail(missing, "this is not Debian: install them with what your distribution has");
  say(`Debian packages ${missing.join(" ")} (apt-get)`);
  apt(["update", "-qq"]);
  const install = apt(["install", "-y", "-qq", "--no-install-recommends", ...missing]);
  if (install.status !== 0)
    fail(missing, `apt-get failed: ${install.stderr.trim().split("\n").pop() ?? ""}`);
  const still = lacking.filter((need) => !isThere(need.program)).map((need) => need.package);
  if (still.length > 0) fail(still, "apt-get brought them without the programs that are needed");
}

function hashWebSources(): string {
  const hash = createHash("sha256");
  const patterns = [
    "packages/web/**/*.{ts,tsx,css,html,svg,json}",
    "packages/protocol/*.ts",
    "package-lock.json",
  ];
  const files = globSync(patterns, {
    cwd: ROOT,
    exclude: (name) => /(^|\/)(dist|node_modules)(\/|$)/.test(name),
  });
  for (const file of files.sort()) hash.update(file).update(readFileSync(`${ROOT}${file}`));
  return hash.digest("hex");
}

/** Builds the page unless the build is of these sources. */
export function ensureWeb(): void {
  const web = `${ROOT}packages/web`;
  if (!existsSync(`${web}/index.html`)) return;
  const stamp = `${web}/dist/.sources`;
  const wanted = hashWebSources();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  say("the page (vite build)");
  const vite = `${ROOT}node_modules/vite/bin/vite.js`;
  const build = spawnSync(process.execPath, [vite, "build", "--logLevel", "error"], {
    cwd: web,
    encoding: "utf8",
  });
  if (build.status !== 0) {
    process.stderr.write(
      `error FL0804 page-not-built: vite build failed\n${build.stdout}${build.stderr}\n`,
    );
    process.exit(3);
  }
  writeFileSync(stamp, wanted);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensurePackages(TEST_NEEDS);
  ensureWeb();
  say("everything is there");
}
