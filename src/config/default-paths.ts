// SPDX-License-Identifier: Apache-2.0
// Where a node keeps its things when nobody said otherwise. Without any library: every command needs it at once.

/** What the defaults follow from. */
export interface Place {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The effective user id. */
  readonly uid: number;
}

function homeOf(place: Place): string {
  return place.env["HOME"] ?? "/nonexistent";
}

/** Directory of what has to survive a restart: the store, the log. */
export function defaultStateDir(place: Place): string {
  if (place.uid === 0) return "/var/lib/fairlead";
  const base = place.env["XDG_STATE_HOME"] ?? `${homeOf(place)}/.local/state`;
  return `${base}/fairlead`;
}

/** Directory of what ends with the process: the socket. */
export function defaultRuntimeDir(place: Place): string {
  if (place.uid === 0) return "/run/fairlead";
  const base = place.env["XDG_RUNTIME_DIR"];
  return base === undefined ? `${defaultStateDir(place)}/run` : `${base}/fairlead`;
}

/** The settings file that is read when it exists and none was named. */
export function defaultSettingsFile(place: Place): string {
  if (place.uid === 0) return "/etc/fairlead/fairlead.yaml";
  const base = place.env["XDG_CONFIG_HOME"] ?? `${homeOf(place)}/.config`;
  return `${base}/fairlead/fairlead.yaml`;
}
