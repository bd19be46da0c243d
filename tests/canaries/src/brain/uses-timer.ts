// SPDX-License-Identifier: Apache-2.0
setTimeout(() => undefined, 1);
