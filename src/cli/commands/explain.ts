// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { listTopics, type Topic } from "#cli/explain-topics.ts";
import { wrapItems } from "#cli/output.ts";
import { renderFacts } from "#cli/print-error.ts";

function find(topics: readonly Topic[], word: string): Topic {
  const lower = word.toLowerCase();
  const names = (topic: Topic) => [topic.topic, ...topic.also];
  const found = topics.find((topic) => names(topic).some((name) => name.toLowerCase() === lower));
  if (found !== undefined) return found;
  const nearest = findNearest(word, topics.flatMap(names));
  const hint = nearest === undefined ? {} : { remedy: `did you mean ${nearest}?` };
  throw new FairleadError(cliErrors["no-topic"], `nothing is known of "${word}"`, hint);
}

/** `fairlead explain`; asks nobody. */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  const topics = await listTopics();
  const [word] = parsed.arguments;
  if (word === undefined) {
    await out.list(wrapItems("TopicList", topics), {
      name: (item) => item.topic,
      empty: "",
      columns: [
        { key: "topic", title: "TOPIC", value: (item) => item.topic },
        { key: "kind", title: "KIND", value: (item) => item.kind },
        { key: "text", title: "TEXT", value: (item) => item.text },
      ],
    });
    return EXIT.ok;
  }
  await out.document(find(topics, word), {
    kind: "Topic",
    name: (item) => item.topic,
    text: (item, style) => [
      `${style.paint(item.topic, "bold")} (${item.kind})  ${item.text}`,
      ...renderFacts(Object.entries(item.facts)),
    ],
  });
  return EXIT.ok;
}
