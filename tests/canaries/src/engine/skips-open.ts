// SPDX-License-Identifier: Apache-2.0
export { createDockerEngine } from "./drivers/docker/driver.ts";
