/**
 * A query cut into pieces to be coloured and completed. It never fails: what the server would refuse is a piece too, so that half-typed
 * queries keep their colours. The pieces follow each other without gaps once white space is counted in.
 */

type QueryTokenKind = "space" | "brace" | "operator" | "string" | "number" | "field" | "function" | "keyword" | "word";

export interface QueryToken {
  readonly kind: QueryTokenKind;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** What a span has by itself, and what completion says of it. */
export const INTRINSIC_FIELDS = [
  "name",
  "duration",
  "status",
  "statusMessage",
  "kind",
  "rootName",
  "rootServiceName",
  "traceDuration",
  "span:childCount",
  "trace:spanCount",
  "trace:serviceCount",
  "trace:errorCount",
  "trace:rootCount",
  "trace:missingParentCount",
  "trace:complete",
  "event:name",
  "event:timeSinceStart",
  "link:traceID",
  "link:spanID",
  "instrumentation:name",
  "instrumentation:version",
  "span:id",
  "span:parentID",
  "trace:id",
] as const;

export const STATUS_VALUES = ["error", "ok", "unset"] as const;
export const KIND_VALUES = ["server", "client", "internal", "producer", "consumer", "unspecified"] as const;

const INTRINSICS: ReadonlySet<string> = new Set([
  ...INTRINSIC_FIELDS,
  "span:name",
  "span:duration",
  "span:status",
  "span:statusMessage",
  "span:kind",
  "childCount",
  "trace:duration",
  "trace:rootName",
  "trace:rootService",
]);
const KEYWORDS: ReadonlySet<string> = new Set([...STATUS_VALUES, ...KIND_VALUES, "true", "false", "nil"]);
const SCOPED = /^(?:(?:span|resource|event|link|instrumentation|parent)\.|\.)./;

const PIECES: readonly (readonly [kind: QueryTokenKind, pattern: RegExp])[] = [
  ["space", /\s+/y],
  ["string", /"(?:[^"\\]|\\[^])*"?|`[^`]*`?/y],
  ["brace", /[{}()]/y],
  ["operator", /&&|\|\||=~|>=|<=|!=|[!&]?(?:>>|<<)|[!&][<>~]|[=!<>~|,+*/%^-]/y],
];
/** A name may end in a quoted part (`span."a b"`) and have dashes and slashes within. */
const WORD = /[^\s{}()=<>!|,&~"`]+(?:(?<=\.)"(?:[^"\\]|\\[^])*"?)?/y;
const NUMBER = /^[+-]?\d[\d.]*(?:ns|us|µs|ms|s|m|h|d)?(?:\d[\w.]*)?$/;

export function queryTokens(text: string): QueryToken[] {
  const tokens: QueryToken[] = [];
  let from = 0;
  while (from < text.length) {
    const token = tokenAt(text, from);
    tokens.push(token);
    from = token.to;
  }
  return tokens;
}

function tokenAt(text: string, from: number): QueryToken {
  const word = match(WORD, text, from);
  for (const [kind, pattern] of PIECES) {
    const found = match(pattern, text, from);
    // A sign or a slash that begins a longer word belongs to it.
    if (found !== "" && (kind !== "operator" || word.length <= found.length)) {
      return { kind, from, to: from + found.length, text: found };
    }
  }
  const piece = word === "" ? text.charAt(from) : word;
  const to = from + piece.length;
  return { kind: wordKind(piece, text.slice(to)), from, to, text: piece };
}

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

function wordKind(word: string, after: string): QueryTokenKind {
  if (NUMBER.test(word)) return "number";
  if (/^\s*\(/.test(after)) return "function";
  if (INTRINSICS.has(word) || SCOPED.test(word)) return "field";
  if (/^\s*(?:=|!=|[<>]=?(?![<>])|!~)/.test(after)) return "field";
  return KEYWORDS.has(word) ? "keyword" : "word";
}
