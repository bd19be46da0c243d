// SPDX-License-Identifier: Apache-2.0
// The words in which the Compose schema is written. One description drives checks, short forms, merging, relative
// paths, TypeScript types and the reference page.
import type { Findings } from "./findings.ts";
import type { Tree } from "./tree.ts";

declare const TYPE: unique symbol;

/** Carries the TypeScript type that a shape stands for; nothing at run time. */
export interface Typed<T> {
  readonly [TYPE]?: T;
}

interface ShapeBase {
  /** Rewrites a short form into the long one before the check. */
  readonly expand?: (node: Tree, findings: Findings) => Tree;
  /** How a later file changes this; see merge-trees.ts. Default: mappings merge, lists append, the rest is replaced. */
  readonly merge?: "replace" | ((base: Tree, over: Tree) => "replace" | "merge");
  /** What the value has to be, in words, when its kind is wrong: "a list or a mapping". */
  readonly words?: string;
  /** The value may be empty. */
  readonly nullable?: boolean;
  /** Changes relative paths into absolute ones; `resolve` knows the directory. */
  readonly resolvePaths?: (node: Tree, resolve: (path: string) => string) => Tree;
}

/** A text, or a number taken as one. */
export interface TextShape extends ShapeBase {
  readonly kind: "text";
  /** What else is taken as text: numbers and truth values, or one of them. */
  readonly loose?: "any" | "numbers" | "integers" | "flags";
  readonly values?: readonly string[];
  /** What the text has to be, in words, when `check` says no. */
  readonly form?: string;
  readonly check?: (text: string) => boolean;
  /** The one way to write it. */
  readonly rewrite?: (text: string) => string;
}
/** A number, or a text that reads as one. */
export interface NumberShape extends ShapeBase {
  readonly kind: "number";
  readonly integer?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Texts are refused even when they read as a number; the official schema has a few such keys. */
  readonly strict?: boolean;
  /** A leading zero, or any text, is octal: file modes. */
  readonly octal?: boolean;
}
/** A truth value, or a text that reads as one. */
export interface FlagShape extends ShapeBase {
  readonly kind: "flag";
  readonly strict?: boolean;
}
/** Anything. */
export interface AnyShape extends ShapeBase {
  readonly kind: "any";
}
/** A list. */
export interface ListShape extends ShapeBase {
  readonly kind: "list";
  readonly item: Shape;
  /** Items with the same key are one, the later one wins in the place of the earlier. Default: nothing is the same. */
  readonly keyOf?: (item: Tree) => string;
}
/** A mapping with names of the owner's choice. */
export interface RecordShape extends ShapeBase {
  readonly kind: "record";
  readonly value: Shape;
  readonly keyPattern?: RegExp;
  /** What a key has to be, in words. */
  readonly keyForm?: string;
}
/** A mapping with known keys. */
export interface ObjectShape extends ShapeBase {
  readonly kind: "object";
  readonly fields: Readonly<Record<string, Field<Shape>>>;
  readonly required?: readonly string[];
  /** False where the official schema allows no x- keys. */
  readonly extensible?: boolean;
}
/** What a value may be. */
export type Shape =
  | TextShape
  | NumberShape
  | FlagShape
  | AnyShape
  | ListShape
  | RecordShape
  | ObjectShape;

/** One key of a mapping. */
export interface Field<S extends Shape> {
  readonly shape: S;
  readonly doc: string;
  /** Why Fairlead does not act on this key. Its use is a warning. */
  readonly unsupported?: string;
}

/** The TypeScript type of what a shape describes, after short forms are expanded. */
export type Infer<S> = S extends Typed<infer T> ? T : never;
type FieldType<F> = F extends Field<infer S> ? Infer<S> : never;
/** The type of a mapping with such fields, those of `R` being required. */
export type InferFields<F, R extends string> = {
  readonly [K in keyof F as K extends R ? K : never]: FieldType<F[K]>;
} & { readonly [K in keyof F as K extends R ? never : K]?: FieldType<F[K]> };

type Options<S> = Omit<
  S,
  "kind" | "item" | "value" | "fields" | "required" | "nullable" | "values"
>;

/** A text. */
export function text(options: Options<TextShape> = {}): TextShape & Typed<string> {
  return { kind: "text", ...options };
}

/** One of a closed set of words. */
export function word<const V extends readonly string[]>(values: V): TextShape & Typed<V[number]> {
  return { kind: "text", values };
}

/** A number. */
export function number(options: Options<NumberShape> = {}): NumberShape & Typed<number> {
  return { kind: "number", ...options };
}

/** True or false. */
export function flag(options: Options<FlagShape> = {}): FlagShape & Typed<boolean> {
  return { kind: "flag", ...options };
}

/** Anything at all, also nothing. */
export function anything(): AnyShape & Typed<unknown> {
  return { kind: "any", nullable: true };
}

/** A list of one kind of item. */
export function listOf<S extends Shape>(
  item: S,
  options: Options<ListShape> = {},
): ListShape & Typed<readonly Infer<S>[]> {
  return { kind: "list", item, ...options };
}

/** A mapping with any names and one kind of value. */
export function recordOf<S extends Shape>(
  value: S,
  options: Options<RecordShape> = {},
): RecordShape & Typed<Readonly<Record<string, Infer<S>>>> {
  return { kind: "record", value, ...options };
}

/** A mapping with the keys of `fields`, and those that begin with x- unless it says otherwise. */
export function object<
  F extends Readonly<Record<string, Field<Shape>>>,
  const R extends readonly (keyof F & string)[] = [],
>(
  fields: F,
  options: Options<ObjectShape> & { readonly required?: R } = {},
): ObjectShape & Typed<InferFields<F, R[number]>> {
  return { kind: "object", fields, ...options };
}

/** The same shape, where the value may also be empty. */
export function orNull<T>(shape: Shape & Typed<T>): Shape & Typed<T | null> {
  const nullable: Shape = { ...shape, nullable: true };
  return nullable;
}

/** A key that Fairlead acts on. */
export function key<S extends Shape>(shape: S, doc: string): Field<S> {
  return { shape, doc };
}

/** A key that is read and checked, and has no effect because of `reason`. */
export function unsupported<S extends Shape>(shape: S, doc: string, reason: string): Field<S> {
  return { shape, doc, unsupported: reason };
}
