// SPDX-License-Identifier: Apache-2.0
// The front: says how many orders there are and who answered.
import { createServer } from "node:http";
import { hostname } from "node:os";

async function check() {
  const response = await fetch("http://127.0.0.1:8080/health", {
    signal: AbortSignal.timeout(1_500),
  });
  process.exit(response.ok ? 0 : 1);
}

function serve() {
  const server = createServer(async (request, response) => {
    if (request.url === "/health") return response.end("ok\n");
    try {
      const answer = await fetch("http://store:7000/", { signal: AbortSignal.timeout(1_500) });
      const { orders } = await answer.json();
      response.end(`${orders} orders, says ${hostname()}\n`);
    } catch (error) {
      response.writeHead(503).end(`the store does not answer: ${error.message}\n`);
    }
  });
  server.listen(8080, () => console.log("web listens on 8080"));
  process.on("SIGTERM", () => server.close(() => process.exit(0)).closeAllConnections());
}

if (process.argv[2] === "check") await check();
else serve();
