// SPDX-License-Identifier: Apache-2.0
// Values as people read them.

const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

/** `10:41:12` */
export function formatTime(ms: number): string {
  return time.format(ms);
}

/** `Monday, 23 November` */
export function formatDay(ms: number): string {
  return date.format(ms);
}

/** `231 ms`, `4.2 s`, `3 min`, `2 h 5 min`, `3 d` */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 60_000) return `${Math.round(ms / 1_000)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d`;
}

/** `4 s ago`; under three seconds and in the future `just now`. */
export function formatAge(ms: number, nowMs: number): string {
  const age = nowMs - ms;
  if (age < 3_000) return "just now";
  return `${age < 60_000 ? `${Math.floor(age / 1_000)} s` : formatDuration(age)} ago`;
}

/** `1.8 MB` */
export function formatSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit] ?? ""}`;
}

/** `1 service`, `3 services` */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** `compose.yaml:33` */
export function formatPlace(at: {
  readonly file: string;
  readonly line?: number | undefined;
}): string {
  return at.line === undefined ? at.file : `${at.file}:${at.line}`;
}

/** `127.0.0.1:8080 → 80/tcp` */
export function formatPort(port: {
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: string;
}): string {
  const anyHost = port.hostIp === "" || port.hostIp === "0.0.0.0" || port.hostIp === "::";
  const host = anyHost ? "*" : port.hostIp.includes(":") ? `[${port.hostIp}]` : port.hostIp;
  return `${host}:${port.hostPort} → ${port.containerPort}/${port.protocol}`;
}

// CSI and OSC sequences, other escapes, and control characters but tab.
const CONTROL =
  // eslint-disable-next-line no-control-regex
  /\u001B\[[0-?]*[ -/]*[@-~]|\u001B\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|\u001B[@-Z\\-_]?|[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g;
// Marks that turn the direction of text can make a line read as another.
const BIDI = /[\u202A-\u202E\u2066-\u2069]/g;

/** A log line without terminal control sequences. */
export function stripControls(text: string): string {
  return text.replaceAll(CONTROL, "").replaceAll(BIDI, "\uFFFD");
}
