// SPDX-License-Identifier: Apache-2.0
// Text of others in commands of nft, whose strings know no escape.
import { createHash } from "node:crypto";
import { baseErrors, FairleadError } from "#base/errors.ts";

/** The kernel takes 255 bytes for names; shorter ones can be read. */
const NAME_MAX = 100;
const HASH_LENGTH = 16;
/** The kernel keeps 128 bytes of a comment, its end included. */
const TEXT_BYTES_MAX = 127;

/**
 * A name for a chain, set or map: `kind-text` so that nft takes it, whatever the text is. Different texts have different
 * names; the same text always the same. `spellName("service", "shop/web")` is `service-shop_2fweb`. The kind is a
 * word of ours: letters and digits, beginning with a letter.
 */
export function spellName(kind: string, text: string): string {
  if (!/^[a-z][a-z0-9]*$/i.test(kind))
    throw new FairleadError(baseErrors["invalid-argument"], `${kind} is no kind of a name`);
  const bytes = [...Buffer.from(text)];
  const spelt = bytes.map((byte) => {
    const letter = String.fromCharCode(byte);
    return /[a-z0-9-]/i.test(letter) ? letter : `_${byte.toString(16).padStart(2, "0")}`;
  });
  const name = `${kind}-${spelt.join("")}`;
  if (name.length <= NAME_MAX) return name;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, HASH_LENGTH);
  // Two underscores: no name that is short enough has them.
  return `${name.slice(0, NAME_MAX - HASH_LENGTH - 2)}__${hash}`;
}

/** Text between quotes, for comments and interfaces. Throws FL0101 on what would end the quotes, and on 128 bytes or more. */
export function quoteText(text: string): string {
  // eslint-disable-next-line no-control-regex
  if (/["\\\u0000-\u001f\u007f]/.test(text) || Buffer.byteLength(text) > TEXT_BYTES_MAX)
    throw new FairleadError(
      baseErrors["invalid-argument"],
      `nft takes no text with quotes, backslashes, control characters or more than ${TEXT_BYTES_MAX} bytes`,
      { facts: { text: text.slice(0, TEXT_BYTES_MAX) } },
    );
  return `"${text}"`;
}
