// SPDX-License-Identifier: Apache-2.0
// A store as small as can be: orders in a file, served over HTTP. `migrate` prepares it, `check` asks how it is.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

const FILE = "/data/orders.jsonl";
const address = "http://store:7000";

async function ask(path, host) {
  const response = await fetch(`${host}${path}`, { signal: AbortSignal.timeout(1_500) });
  if (!response.ok) throw new Error(`the store answered ${response.status}`);
  return response.text();
}

function serve() {
  if (!existsSync(FILE)) writeFileSync(FILE, "");
  let migrated = readFileSync(FILE, "utf8").includes('"migrated"');
  const server = createServer(async (request, response) => {
    if (request.url === "/migrate" && !migrated) {
      appendFileSync(FILE, '{"migrated":1}\n');
      migrated = true;
    }
    if (request.method === "POST") {
      let body = "";
      for await (const chunk of request) body += chunk;
      appendFileSync(FILE, `${body}\n`);
    }
    const orders = readFileSync(FILE, "utf8").split("\n").length - 1;
    response.end(JSON.stringify({ orders, migrated }));
  });
  // Not 6000, nor another of the ports that fetch refuses to ask.
  server.listen(7000, () => console.log("store listens on 7000"));
  process.on("SIGTERM", () => server.close(() => process.exit(0)).closeAllConnections());
}

const [, , command] = process.argv;
if (command === "migrate") console.log(await ask("/migrate", address));
else if (command === "check") await ask("/", "http://127.0.0.1:7000");
else serve();
