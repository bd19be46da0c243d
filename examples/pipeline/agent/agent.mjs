// SPDX-License-Identifier: Apache-2.0
// One agent of the pipeline. ROLE says which; NEXT is where its results go.
import { createServer } from "node:http";

const role = process.env.ROLE ?? "publisher";
const next = process.env.NEXT;
const TEXTS = [
  "A fairlead leads the lines of a ship to the dock. It keeps them from chafing. Nobody notices it until it is missing.",
  "The harbour is quiet at night. The lights stay on. Somebody has to watch them.",
  "An agent asked another for help. The answer came late. It was right all the same.",
];
let handled = 0;
let ill = false;

/** The longest sentence stands for the whole. */
function summarize(text) {
  return text
    .split(/(?<=\.)\s+/)
    .reduce((best, one) => (one.length > best.length ? one : best), "");
}

async function send(message) {
  const response = await fetch(`${next}/messages`, {
    method: "POST",
    body: JSON.stringify(message),
    signal: AbortSignal.timeout(2_000),
  });
  if (!response.ok) throw new Error(`${next} answered ${response.status}`);
}

async function handle(message) {
  handled++;
  if (role === "summarizer") await send({ ...message, text: summarize(message.text) });
  else console.log(`published ${message.number}: ${message.text}`);
}

async function readBody(request) {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

const server = createServer(async (request, response) => {
  try {
    if (request.url === "/health") {
      response.writeHead(ill ? 503 : 200).end(JSON.stringify({ role, handled }));
    } else if (request.url === "/ill") {
      ill = true;
      response.end("ill\n");
    } else {
      await handle(JSON.parse(await readBody(request)));
      response.end("ok\n");
    }
  } catch (error) {
    console.error(`${role}: ${error.message}`);
    response.writeHead(502).end();
  }
});
server.listen(8080, () => console.log(`${role} listens on 8080`));
process.on("SIGTERM", () => server.close(() => process.exit(0)).closeAllConnections());

if (role === "collector") {
  let number = 0;
  setInterval(
    async () => {
      const text = TEXTS[number++ % TEXTS.length];
      await send({ number, text }).then(
        () => handled++,
        (error) => console.error(`collector: ${error.message}`),
      );
    },
    Number(process.env.EVERY_MS ?? 1_000),
  );
}
