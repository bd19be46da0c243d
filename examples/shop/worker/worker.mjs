// SPDX-License-Identifier: Apache-2.0
// Places an order every second.
let number = 0;
const timer = setInterval(async () => {
  try {
    const order = { number: ++number, at: new Date().toISOString() };
    const response = await fetch("http://store:7000/orders", {
      method: "POST",
      body: JSON.stringify(order),
      signal: AbortSignal.timeout(2_000),
    });
    console.log(`order ${number}: ${await response.text()}`);
  } catch (error) {
    console.error(`order ${number}: ${error.message}`);
  }
}, 1_000);
process.on("SIGTERM", () => {
  clearInterval(timer);
  process.exit(0);
});
