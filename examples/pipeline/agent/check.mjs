// SPDX-License-Identifier: Apache-2.0
// The health check: exits with 0 when the agent says that it is well.
const response = await fetch("http://127.0.0.1:8080/health", {
  signal: AbortSignal.timeout(1_500),
});
if (!response.ok) console.log(`the agent answered ${response.status}`);
process.exit(response.ok ? 0 : 1);
