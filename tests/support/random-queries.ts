/** Random queries in TraceQL over random-traces.ts: every form of condition, relation and stage. */
import { parseQuery, parseTraceQuery } from "@callchain/query-api/search/parse.ts";
import * as fc from "fast-check";

/** Not all that is put together goes together: a duration and a plain number are refused, for instance. */
function isReadable(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

const field = fc.constantFrom(
  "duration",
  "span.size",
  ".limit",
  "span.limit",
  "resource.limit",
  "event.limit",
  "link.limit",
  "event:timeSinceStart",
  "traceDuration",
  "trace:spanCount",
  "span:childCount",
);
const literal = fc.constantFrom("0", "1", "2", "-3", "0.5", "4ms", "2e6");
const spanField = fc.constantFrom("duration", "span.size", ".limit", "span.limit", "resource.limit");

/** Numbers calculated of these leaves. Powers stay small. */
function arithmeticOf(leaf: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.letrec<{ sum: string }>((tie) => ({
    sum: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      leaf,
      fc.tuple(tie("sum"), fc.constantFrom("+", "-", "*", "/", "%"), tie("sum")).map((parts) => `(${parts.join(" ")})`),
      fc.tuple(leaf, fc.constantFrom("+", "-", "*"), leaf, fc.constantFrom("/", "+"), leaf).map((parts) => parts.join(" ")),
      tie("sum").map((inner) => `-(${inner})`),
      leaf.map((inner) => `-${inner} ^ 2`),
    ),
  })).sum;
}
const order = fc.constantFrom("=", "!=", ">", ">=", "<", "<=");
const plainPair = fc.constantFrom(
  "span.size = span.limit",
  ".size != .limit",
  "span.cached = span.wanted",
  ".cached != .wanted",
  "span.limit > resource.limit",
  "name = event:name",
  "event:name > name",
  "name = .limit",
  "span.http.method = .limit",
  "name < .http.request.method",
  "link:spanID = span:parentID",
  "link:traceID != trace:id",
  "span:id > link:spanID",
  "event.limit = link.limit",
);
const calculated = fc
  .oneof(
    plainPair,
    fc.tuple(arithmeticOf(fc.oneof(field, literal)), order, arithmeticOf(field)).map((parts) => parts.join(" ")),
    fc.tuple(arithmeticOf(field), order, literal).map((parts) => parts.join(" ")),
  )
  .filter((text) => isReadable(() => parseQuery(`{ ${text} }`)));

const condition = fc.oneof(
  fc.constantFrom(
    "",
    'name = "a"',
    'name != "b"',
    'resource.service.name = "cart"',
    "status = error",
    "kind = server",
    "duration > 4ms",
    ".size > 2",
    "span.size != nil",
    'span.http.request.method = "GET"',
    '.http.method != "GET"',
    'span.http.method = ""',
    'span.http.request.method =~ "G.*|a"',
    '.http.method > "H"',
    "span.http.method != nil && .http.request.method != 4",
    'name = "c" && status != error',
    "span:parentID = nil",
    "trace:complete",
    "trace:complete != true",
    "trace:spanCount > 4",
    "trace:serviceCount = 1 && trace:errorCount >= 1",
    "trace:rootCount = 0 || trace:missingParentCount > 0",
    "traceDuration >= 30ms",
    'rootName = "a"',
    "span:childCount > 1",
    "span:childCount = 0",
    "childCount != 2 && childCount >= 0",
  ),
  calculated,
);
const filter = condition.map((inner) => `{ ${inner} }`);
/** Of a group of spans. */
const scalar = arithmeticOf(
  fc.oneof(
    literal,
    fc.constant("count()"),
    fc
      .tuple(fc.constantFrom("avg", "max", "min", "sum"), fc.oneof(spanField, arithmeticOf(spanField)))
      .map(([name, operand]) => `${name}(${operand})`),
  ),
);
const sign = fc.constantFrom(...[">", ">>", "<", "<<", "~"].flatMap((base) => [base, `!${base}`, `&${base}`]));
const stage = fc
  .oneof(
    filter,
    fc
      .tuple(scalar, order, fc.constantFrom("count() * 2", "max(duration) / 3", "min(.size) - 1"))
      .map((parts) => parts.join(" ")),
    fc.constantFrom(
      "count() > 1",
      "count() = 1",
      "count() != 2",
      "max(duration) > 5ms",
      "min(duration) <= 1ms",
      "avg(duration) >= 4ms",
    ),
    fc.constantFrom("sum(duration) < 10ms", "sum(.size) > 3", "avg(span.size) < 2.5", "max(.size) = 4", "min(.size) >= -1"),
    fc.constantFrom(
      "by(resource.service.name)",
      "by(name, status)",
      "by(.size)",
      "by(.http.method)",
      "select(.size, name)",
      "by(kind) | coalesce()",
    ),
  )
  .filter((text) => isReadable(() => parseTraceQuery(`{ } | ${text}`)));
const { spanset } = fc.letrec<{ spanset: string }>((tie) => ({
  spanset: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    filter,
    fc.tuple(tie("spanset"), sign, tie("spanset")).map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
    fc.tuple(filter, sign, filter).map((parts) => parts.join(" ")),
    fc
      .tuple(tie("spanset"), fc.constantFrom("&&", "||"), tie("spanset"))
      .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
    fc
      .tuple(tie("spanset"), fc.constantFrom("count() > 1", 'name = "a"'))
      .map(([inner, last]) => `(${inner} | ${last.includes("count") ? last : `{ ${last} }`})`),
  ),
}));
export const traceQuery = fc
  .tuple(spanset, fc.array(stage, { maxLength: 3 }))
  .map(([spans, stages]) => [spans, ...stages].join(" | "));
