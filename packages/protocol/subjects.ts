// SPDX-License-Identifier: Apache-2.0
// Subjects of messages: words joined by dots. In a pattern `*` stands for one word, a last `>` for one or more.

/** Characters in a subject or pattern, at most. */
export const SUBJECT_LENGTH_MAX = 255;
/** Words of visible characters; `*` and `>` have their meaning only alone. */
const WORD = /^[^\s.*>\p{C}]+$/u;

/** What is wrong with a subject, or undefined. */
export function findSubjectFault(subject: string): string | undefined {
  if (subject.length === 0 || subject.length > SUBJECT_LENGTH_MAX)
    return `a subject has 1 to ${SUBJECT_LENGTH_MAX} characters`;
  const wrong = subject.split(".").find((word) => !WORD.test(word));
  if (wrong === undefined) return undefined;
  return wrong === ""
    ? "a word is empty: dots stand between words"
    : `"${wrong}" is no word: no blanks, no * and no >`;
}

/** What is wrong with a pattern, or undefined. */
export function findPatternFault(pattern: string): string | undefined {
  const words = pattern.split(".");
  const last = words.length - 1;
  const plain = words.map((word, index) =>
    word === "*" || (word === ">" && index === last) ? "x" : word,
  );
  if (pattern.length > SUBJECT_LENGTH_MAX) return findSubjectFault(pattern);
  const early = words.indexOf(">");
  if (early >= 0 && early < last) return "> stands at the end only";
  return findSubjectFault(plain.join("."));
}

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
