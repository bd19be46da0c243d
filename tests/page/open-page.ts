// SPDX-License-Identifier: Apache-2.0
// The built page in Debian's Chromium, served by the real API over fake operations.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { SignInLink } from "@fairlead/protocol/routes.ts";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { build } from "vite";
import { startApi, type TestApi } from "#api/testing/start-api.ts";

const CHROMIUM = "/usr/bin/chromium";
const WEB = fileURLToPath(new URL("../../packages/web/", import.meta.url));
const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser and the built page. */
export interface PageBench {
  readonly browser: Browser;
  readonly pageDirectory: string;
}

/** Views of the page, one of each kind; `policies.test.ts` goes to its own. */
export const VIEWS = [
  "",
  "services",
  "services/shop/report",
  "hosts",
  "decisions",
  "decisions/dec_0000000000000D",
];

/** Builds the page into a directory of its own and starts a browser. */
async function startBench(): Promise<PageBench & AsyncDisposable> {
  const pageDirectory = await mkdtemp(join(tmpdir(), "fairlead-page-"));
  await build({
    root: WEB,
    configFile: join(WEB, "vite.config.ts"),
    logLevel: "error",
    build: { outDir: pageDirectory, emptyOutDir: true },
  });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: SWITCHES });
  return {
    browser,
    pageDirectory,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await rm(pageDirectory, { recursive: true, force: true });
    },
  };
}

/** The bench of a file of tests, from before the first of them until after the last. */
export function useBench(): PageBench {
  const stack = new AsyncDisposableStack();
  let bench: PageBench;
  before(async () => {
    bench = stack.use(await startBench());
  });
  after(() => stack.disposeAsync());
  return {
    get browser() {
      return bench.browser;
    },
    get pageDirectory() {
      return bench.pageDirectory;
    },
  };
}

export interface OpenOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  /** Changes the API's data before the page is opened. */
  readonly prepare?: (running: TestApi) => void;
  readonly hash?: string;
}

/** A signed-in page and its API. */
export interface OpenedPage extends AsyncDisposable {
  readonly running: TestApi;
  readonly context: BrowserContext;
  readonly page: Page;
  readonly origin: string;
  /** Errors and warnings of the console, exceptions, and violations of the policy. */
  readonly complaints: string[];
  /** Every address that was asked for. */
  readonly requests: string[];
}

/** A fresh sign-in link. */
export async function makeLink(running: TestApi): Promise<string> {
  const reply = await running.unix("/v1/sign-in-links", { method: "POST" });
  return SignInLink.parse(JSON.parse(reply.text)).url;
}

function watch(page: Page, complaints: string[], requests: string[]): void {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
}

/** Opens the page by a sign-in link and waits until it is live. */
export async function openPage(bench: PageBench, options: OpenOptions = {}): Promise<OpenedPage> {
  const { width = 1280, height = 800, colorScheme = "light", prepare, hash = "" } = options;
  const running = await startApi({ beatMs: 1_000 }, bench.pageDirectory);
  prepare?.(running);
  const context = await bench.browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  watch(page, complaints, requests);
  await page.goto((await makeLink(running)) + hash);
  await page.locator(".connection.live").waitFor();
  const origin = `http://127.0.0.1:${running.port}`;
  assert.ok(page.url().startsWith(origin));
  return {
    running,
    context,
    page,
    origin,
    complaints,
    requests,
    async [Symbol.asyncDispose]() {
      await context.close();
      await running[Symbol.asyncDispose]();
    },
  };
}

/** Goes to a view of an opened page. */
export async function showView({ page, origin }: OpenedPage, view: string): Promise<void> {
  await page.goto(`${origin}/#/${view}`);
  await page.locator("main h1").waitFor();
}
