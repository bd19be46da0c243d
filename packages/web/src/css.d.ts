// SPDX-License-Identifier: Apache-2.0
// Vite reads styles; the compiler only has to know that they exist.
declare module "*.css";
