/** What may stand at the caret of a query: which kind of thing, and the text already typed of it. */
import { queryTokens, type QueryToken } from "./tokens.ts";

export type CompletionPlace =
  /** The name of a field; `bare` outside of braces, where attributes need no scope. */
  | { readonly kind: "field"; readonly from: number; readonly typed: string; readonly bare: boolean }
  /** A value of a field; `quoted` when it stands in quotes already. `to` is where the piece that it replaces ends. */
  | {
      readonly kind: "value";
      readonly field: string;
      readonly from: number;
      readonly to: number;
      readonly typed: string;
      readonly quoted: boolean;
      readonly bare: boolean;
    }
  /** Between two things: an operator. */
  | { readonly kind: "operator"; readonly after: "field" | "value" | "spanset"; readonly from: number; readonly typed: string }
  /** After a `|`: a stage. */
  | { readonly kind: "pipeline"; readonly from: number; readonly typed: string };

const ARITHMETIC: ReadonlySet<string> = new Set(["+", "-", "*", "/", "%", "^"]);
const COMPARISONS: ReadonlySet<string> = new Set(["=", "!=", ">", "<", ">=", "<=", "=~", "!~"]);

/** `at` counts characters from 0; null where nothing can be offered. */
export function completionPlace(text: string, at: number): CompletionPlace | null {
  const all = queryTokens(text);
  const isBare = all.find(({ kind }) => kind !== "space")?.text !== "{";
  const touching = all.find(({ from, to, kind }) => from < at && at <= to && kind !== "space" && isTypeable(kind));
  const from = touching?.from ?? at;
  const typed = touching === undefined ? "" : text.slice(from, at);
  const before = all.filter((token) => token.to <= from && token.kind !== "space");
  const last = before.at(-1);
  const place = { from, typed };

  if (last !== undefined && COMPARISONS.has(last.text) && last.kind === "operator") {
    const field = before.at(-2);
    if (field === undefined || !isFieldLike(field)) return null;
    return { ...place, ...valuePiece(touching, typed), kind: "value", field: field.text, to: touching?.to ?? at, bare: isBare };
  }
  if (touching?.kind === "string") return null;
  if (!isBare && braceDepth(before) <= 0 && last !== undefined) return placeOutside(last, place);
  if (
    last === undefined ||
    last.text === "{" ||
    last.text === "(" ||
    last.text === "&&" ||
    last.text === "||" ||
    last.text === "!" ||
    (!isBare && last.kind === "operator" && ARITHMETIC.has(last.text))
  ) {
    return { kind: "field", ...place, bare: isBare };
  }
  if (last.kind === "field") return { kind: "operator", after: "field", ...place };
  if (["string", "number", "keyword", "word"].includes(last.kind) || last.text === ")") {
    return isBare && last.kind !== "operator" && typed !== ""
      ? { kind: "field", ...place, bare: true }
      : { kind: "operator", after: "value", ...place };
  }
  return null;
}

/** Outside of braces: a stage after `|`, fields within the parentheses of one, relations and pipes after a spanset. */
function placeOutside(last: QueryToken, place: { readonly from: number; readonly typed: string }): CompletionPlace | null {
  if (last.text === "|") return { kind: "pipeline", ...place };
  if (last.text === "(" || last.text === ",") return { kind: "field", ...place, bare: false };
  return last.text === "}" && place.typed === "" ? { kind: "operator", after: "spanset", ...place } : null;
}

function isTypeable(kind: QueryToken["kind"]): boolean {
  return kind !== "brace" && kind !== "operator";
}
function isFieldLike({ kind }: QueryToken): boolean {
  return kind === "field" || kind === "word" || kind === "keyword" || kind === "function";
}

function valuePiece(token: QueryToken | undefined, typed: string): { readonly typed: string; readonly quoted: boolean } {
  const quoted = token?.kind === "string";
  return { typed: quoted ? typed.slice(1) : typed, quoted };
}

function braceDepth(tokens: readonly QueryToken[]): number {
  return tokens.reduce((depth, { text, kind }) => depth + (kind !== "brace" ? 0 : text === "{" ? 1 : text === "}" ? -1 : 0), 0);
}

/** A value as the query language writes it: numbers, statuses and kinds as they are, texts in quotes. */
export function writeValue(value: string, type: "string" | "int" | "double" | "json", field: string): string {
  if (field === "status" || field === "kind") return value;
  return type === "string" ? quoteText(value) : value;
}

/** A text in quotes with the escapes that the language knows. */
export function quoteText(text: string): string {
  const escaped = text.replace(/[\\"\n\t\r]/g, (character) => ESCAPES.get(character) ?? character);
  return `"${escaped}"`;
}
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\\", "\\\\"],
  ['"', '\\"'],
  ["\n", "\\n"],
  ["\t", "\\t"],
  ["\r", "\\r"],
]);

/** An attribute's name as a field: quoted where it holds what a name cannot. */
export function writeField(scope: "span" | "resource", key: string): string {
  return /^[^\s{}()=<>!|,&~"`]+$/.test(key) ? `${scope}.${key}` : `${scope}.${quoteText(key)}`;
}

/** The attribute or intrinsic of a field for `GET /attributes/{key}/values`; a field's quoted tail is read. */
export function fieldKey(field: string): string {
  const quoted = /^(.*\.)"((?:[^"\\]|\\.)*)"$/s.exec(field);
  if (quoted === null) return field;
  return `${quoted[1] ?? ""}${(quoted[2] ?? "").replace(/\\(.)/g, "$1")}`;
}

/** Where a problem's words say that the query went wrong, from 0; null where they name no character. */
export function problemPosition(words: string): number | null {
  const found = /\bat character (\d+):/.exec(words)?.[1];
  return found === undefined ? null : Number(found) - 1;
}

/** The part of the query to mark for a fault at a character: the piece that begins or lies there, at least one character of it. */
export function markedPiece(text: string, at: number): { readonly from: number; readonly to: number } | null {
  if (text === "") return null;
  const token = queryTokens(text).find(({ from, to }) => from <= at && at < to);
  if (token !== undefined && token.kind !== "space") return { from: Math.min(at, token.from), to: token.to };
  // Past the end something is missing: the last character is what can be marked.
  const from = Math.min(at, text.length - 1);
  return { from, to: from + 1 };
}
