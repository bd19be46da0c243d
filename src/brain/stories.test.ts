// SPDX-License-Identifier: Apache-2.0
// Each file of testdata is a story: blocks of commands, `----`, and what they print. `UPDATE=1` writes it anew.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { startStory } from "./testing/story.ts";

const DIRECTORY = new URL("testdata/", import.meta.url);
const UPDATE = process.env["UPDATE"] === "1";

/** Tells the story: the text with each output as it is now. A line `story TITLE` starts a new world. */
function tell(text: string): string {
  let command = startStory();
  const blocks = text.trimEnd().split(/\n\n+/);
  return `${blocks
    .map((block) => {
      const [told = ""] = block.split("\n----");
      if (!block.includes("\n----")) return block;
      const outputs = told.split("\n").flatMap((line) => {
        if (line.startsWith("#")) return [];
        if (line.startsWith("story ")) {
          command = startStory();
          return [];
        }
        const output = command(line);
        return output === "" ? [] : [output];
      });
      return [told, "----", ...(outputs.length === 0 ? ["nothing"] : outputs)].join("\n");
    })
    .join("\n\n")}\n`;
}

describe("stories", () => {
  for (const name of readdirSync(DIRECTORY).sort()) {
    test(name.replace(/\.txt$/, ""), () => {
      const file = new URL(name, DIRECTORY);
      const text = readFileSync(file, "utf8");
      const told = tell(text);
      if (UPDATE) writeFileSync(file, told);
      assert.equal(UPDATE ? readFileSync(file, "utf8") : text, told);
    });
  }
});
