// SPDX-License-Identifier: Apache-2.0
// Subjects of messages: words joined by dots. In a pattern `*` stands for one word, a last `>` for one or more.

/** Whether a subject is one that the pattern asks for. Both must be well-formed. */
export function matchSubject(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const words = subject.split(".");
  for (const [index, word] of wanted.entries()) {
    if (word === ">" && index === wanted.length - 1) return words.length > index;
    if (index >= words.length || (word !== "*" && word !== words[index])) return false;
  }
  return wanted.length === words.length;
}
