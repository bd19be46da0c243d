// SPDX-License-Identifier: Apache-2.0
export { createDockerEngine } from "#engine/drivers/docker/driver.ts";
