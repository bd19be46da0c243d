// SPDX-License-Identifier: Apache-2.0
// What a secret looks like, and how a text is shown without it.

/** What stands where a value was. */
export const HIDDEN = "[hidden]";
/** Shorter values are too common in other words to be looked for. */
const VALUE_LENGTH_MIN = 6;
/** `scheme://user:password@host`: only the password is secret. */
const PASSWORD_IN_URL = /(:\/\/[^:/\s]{0,100}:)([^@/\s]+)(?=@)/g;
const SECRET_WORD =
  "pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|private[-_]?key|credentials?|authorization|registry[-_]?auth|cookie";
const SECRET_FIELD = new RegExp(`(?:${SECRET_WORD})$`, "i");
const PRIVATE_KEY =
  /()-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
/** What is secret by its form, wherever it stands; the first group stays. None looks far back: texts are long. */
const FORMS: readonly RegExp[] = [
  PRIVATE_KEY,
  PASSWORD_IN_URL,
  /\b((?:Bearer|Basic)\s+)[\w.~+/=-]{6,}/gi,
  /\b(fl[a-z]\d?_)[\w-]{16,}/g,
  /()\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  new RegExp(
    `((?<=^|[\\s"'])--?[\\w-]{0,40}(?:${SECRET_WORD})[\\w-]{0,40}[ \\t]+)(?:"[^"]*"|'[^']*'|[^\\s"']+)`,
    "gim",
  ),
  new RegExp(
    `((?:${SECRET_WORD})[\\w.-]{0,40}["']?\\s*[=:]\\s*)(?:"(?:[^"\\\\]|\\\\.)*"|'[^']*'|[^\\s,;&"'}\\])]+)`,
    "gi",
  ),
];

/** Passwords in addresses that a text has. */
export function listPasswordsInUrls(text: string): readonly string[] {
  return [...text.matchAll(PASSWORD_IN_URL)].map(([, , password = ""]) => password);
}

/** Whether a field of that name holds a secret: `password`, `X-Registry-Auth`. */
export function isSecretField(name: string): boolean {
  return SECRET_FIELD.test(name);
}

/** `NAME=value` → `NAME=[hidden]`. */
export function hideVariable(variable: string): string {
  const at = variable.indexOf("=");
  return at < 0 ? variable : `${variable.slice(0, at)}=${HIDDEN}`;
}

/** Makes a function that puts `[hidden]` where one of the values stands in a text. Short values are not looked for. */
export function createMask(values: readonly string[]): (text: string) => string {
  const wanted = [...new Set(values.map((value) => value.trim()))]
    .filter((value) => value.length >= VALUE_LENGTH_MIN)
    .sort((a, b) => b.length - a.length);
  return (text) => wanted.reduce((rest, value) => rest.replaceAll(value, HIDDEN), text);
}

/** A text without private keys, which are many lines each. */
export function hidePrivateKeys(text: string): string {
  return text.replace(PRIVATE_KEY, HIDDEN);
}

/** A text without what is secret by its form: private keys, passwords in addresses, tokens, `password=…`. */
export function hideByForm(text: string): string {
  return FORMS.reduce((rest, form) => rest.replace(form, `$1${HIDDEN}`), text);
}
