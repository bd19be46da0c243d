// SPDX-License-Identifier: Apache-2.0
import type { Location } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import { composeErrors } from "./errors.ts";
import { refuse } from "./findings.ts";
import { mergeTrees } from "./merge-trees.ts";
import { parentPath, resolvePath } from "./path-text.ts";
import { type Place, readDocuments, resolveTree } from "./read-documents.ts";
import { readInput, type Run } from "./run.ts";
import { project } from "./schema/project.ts";
import { service as serviceShape } from "./schema/service.ts";
import {
  child,
  type Entry,
  map,
  type MapNode,
  textOf,
  type Tree,
  withEntry,
  withoutEntries,
} from "./tree.ts";

/** Longer chains are a mistake or an attack. */
const CHAIN_MAX = 100;

/** One file whose services can be extended, with those already worked out. */
interface Book {
  readonly file: string;
  readonly tree: MapNode;
  readonly place: Place;
  readonly done: Map<string, Tree>;
}

interface Step {
  readonly file: string;
  readonly service: string;
}

/** The file with every `extends` replaced by what it takes over. Throws cycle, undefined-reference, and what reading throws. */
export async function applyExtends(
  run: Run,
  tree: MapNode,
  file: string,
  place: Place,
): Promise<MapNode> {
  const services = child(tree, "services");
  if (services?.kind !== "map") return tree;
  const extending = [...services.entries].some(([, e]) => child(e.value, "extends") !== undefined);
  if (!extending) return tree;
  const books = new Map<string, Book>();
  const book: Book = { file, tree, place, done: new Map() };
  books.set(file, book);
  const entries = new Map<string, Entry>();
  for (const [name, { keyAt, value }] of services.entries) {
    entries.set(name, { keyAt, value: await workOut(run, books, book, name, value, []) });
  }
  return withEntry(tree, "services", { ...services, entries });
}

async function workOut(
  run: Run,
  books: Map<string, Book>,
  book: Book,
  name: string,
  service: Tree,
  chain: readonly Step[],
): Promise<Tree> {
  const before = book.done.get(name);
  if (before !== undefined) return before;
  const reference = child(service, "extends");
  if (service.kind !== "map" || reference === undefined || reference.tag === "reset")
    return service;
  const steps = [...chain, { file: book.file, service: name }];
  refuseCycle(chain, { file: book.file, service: name }, reference.at);
  const own = withoutEntries(service, ["extends"]);
  const target = textOf(child(reference, "service"));
  if (target === undefined) return own;
  const written = textOf(child(reference, "file"));
  const there =
    written === undefined ? book : await openBook(run, books, book, written, reference.at);
  const base = findService(there, target, reference.at);
  const taken = await workOut(run, books, there, target, base, steps);
  const placed = there === book ? taken : resolveService(run, taken, there.place.directory);
  const merged = mergeTrees(placed, own, serviceShape) ?? own;
  book.done.set(name, merged);
  return merged;
}

function refuseCycle(chain: readonly Step[], step: Step, at: Location): void {
  const start = chain.findIndex((s) => s.file === step.file && s.service === step.service);
  if (start < 0 && chain.length < CHAIN_MAX) return;
  if (start < 0)
    throw refuse(composeErrors["too-big"], `more than ${CHAIN_MAX} services extend each other`, at);
  const circle = [...chain.slice(start), step];
  const oneFile = circle.every((s) => s.file === step.file);
  const names = circle.map((s) => (oneFile ? s.service : `${s.service} (${s.file})`));
  throw refuse(composeErrors["cycle"], `services extend each other: ${names.join(" → ")}`, at);
}

function findService(book: Book, name: string, at: Location): Tree {
  const services = child(book.tree, "services");
  const found = child(services, name);
  if (found !== undefined) return found;
  const names = services?.kind === "map" ? [...services.entries.keys()] : [];
  const nearest = findNearest(name, names);
  throw refuse(
    composeErrors["undefined-reference"],
    `extends names the service "${name}", which ${book.file} does not define`,
    at,
    nearest === undefined ? undefined : `did you mean ${nearest}?`,
  );
}

async function openBook(
  run: Run,
  books: Map<string, Book>,
  from: Book,
  written: string,
  at: Location,
): Promise<Book> {
  const file = resolvePath(from.place.directory, written, run.home);
  const before = books.get(file);
  if (before !== undefined) return before;
  const text = await readInput(run, file, at);
  if (text === undefined) {
    throw refuse(
      composeErrors["file-unreadable"],
      `extends names ${file}, which does not exist`,
      at,
    );
  }
  run.files.push(file);
  const place: Place = { ...from.place, directory: parentPath(file) };
  let tree: MapNode = map({}, { file, line: 1, column: 1 });
  for (const document of readDocuments(run, text, file, place)) {
    const merged = mergeTrees(tree, document, project);
    if (merged?.kind === "map") tree = merged;
  }
  const book: Book = { file, tree, place, done: new Map() };
  books.set(file, book);
  return book;
}

function resolveService(run: Run, service: Tree, directory: string): Tree {
  const wrapped = map({ services: map({ it: service }, service.at) }, service.at);
  return child(child(resolveTree(run, wrapped, directory), "services"), "it") ?? service;
}
