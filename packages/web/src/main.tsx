// SPDX-License-Identifier: Apache-2.0
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { createLive } from "./live.ts";
import "./base.css";
import "./frame.css";
import "./views.css";
import "./hosts.css";
import "./details.css";
import "./narrow.css";

const root = document.querySelector("#root");
if (root !== null) {
  const live = createLive();
  live.start();
  createRoot(root).render(
    <StrictMode>
      <App live={live} />
    </StrictMode>,
  );
}
