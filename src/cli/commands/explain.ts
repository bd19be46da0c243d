// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { explainNetworks } from "#cli/explain-networks.ts";
import { listQuickTopics, listSlowTopics, type Topic } from "#cli/explain-topics.ts";
import { wrapItems } from "#cli/output.ts";
import { renderFacts } from "#cli/print-error.ts";

const namesOf = (topic: Topic) => [topic.topic, ...topic.also];

function match(topics: readonly Topic[], word: string): Topic | undefined {
  const lower = word.toLowerCase();
  return topics.find((topic) => namesOf(topic).some((name) => name.toLowerCase() === lower));
}

async function find(word: string): Promise<Topic> {
  const quick = listQuickTopics();
  const found = match(quick, word);
  if (found !== undefined) return found;
  const slow = await listSlowTopics();
  const late = match(slow, word);
  if (late !== undefined) return late;
  const names = [...quick, ...slow].flatMap(namesOf);
  const nearest =
    names.find((name) => name.endsWith(`.${word.toLowerCase()}`)) ?? findNearest(word, names);
  const hint = nearest === undefined ? {} : { remedy: `did you mean ${nearest}?` };
  throw new FairleadError(cliErrors["no-topic"], `nothing is known of "${word}"`, hint);
}

/** `fairlead explain`; asks nobody, but for `explain network [SERVICE]`. */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  const [word, service] = parsed.arguments;
  if (word === "network") return explainNetworks(context, service);
  if (service !== undefined)
    throw new FairleadError(cliErrors["bad-value"], `"${service}" is one word too many`, {
      remedy: "fairlead explain TOPIC, or fairlead explain network SERVICE",
    });
  if (word === undefined) {
    const topics = [...listQuickTopics(), ...(await listSlowTopics())];
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
  await out.document(await find(word), {
    kind: "Topic",
    name: (item) => item.topic,
    text: (item, style) => [
      `${style.paint(item.topic, "bold")} (${item.kind})  ${item.text}`,
      ...renderFacts(Object.entries(item.facts)),
    ],
  });
  return EXIT.ok;
}
