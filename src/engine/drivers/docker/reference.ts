// SPDX-License-Identifier: Apache-2.0
// References of images: `host:5000/team/app:tag`, `app@sha256:…`. A colon before the last slash is a port's.

export interface Reference {
  readonly repository: string;
  /** Absent when the reference names none. */
  readonly tag: string | undefined;
}

/** Cuts the tag off. A digest is left where it is. */
export function splitReference(reference: string): Reference {
  const cut = reference.lastIndexOf(":");
  if (cut <= reference.lastIndexOf("/") || reference.includes("@"))
    return { repository: reference, tag: undefined };
  return { repository: reference.slice(0, cut), tag: reference.slice(cut + 1) };
}

/** With `latest` where neither tag nor digest is named: a pull without would bring every tag there is. */
export function withTag(reference: string): string {
  const named = reference.includes("@") || splitReference(reference).tag !== undefined;
  return named ? reference : `${reference}:latest`;
}
