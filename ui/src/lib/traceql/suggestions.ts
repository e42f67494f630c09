/** What completion offers at a place of a query, best first, from what the store has seen. */
import type { AttributesAnswer, AttributeValuesAnswer } from "@callchain/schemas/api/catalog.ts";
import { quoteText, writeField, writeValue, type CompletionPlace } from "./completion.ts";
import { INTRINSIC_FIELDS } from "./tokens.ts";

export interface Suggestion {
  readonly label: string;
  /** What is written in place of what was typed; the caret stands behind it. */
  readonly insert: string;
  readonly kind: "intrinsic" | "attribute" | "value" | "operator" | "function";
  /** Spans that have it, where that is known. */
  readonly spanCount: number | null;
}

/** The stages of a pipeline, and what is written for each; fields follow in the parentheses of `by` and `select`. */
const STAGES = [
  ["count()", "count() > "],
  ["avg(duration)", "avg(duration) > "],
  ["max(duration)", "max(duration) > "],
  ["min(duration)", "min(duration) > "],
  ["sum(duration)", "sum(duration) > "],
  ["by()", "by()"],
  ["select()", "select()"],
  ["coalesce()", "coalesce() "],
] as const;
/** After a spanset: stages, and spansets that must be in the trace too or stand in a relation. */
const RELATIONS = ["|", "&&", "||", ">>", "<<", ">", "<", "~"];
const COMPARISONS = ["=", "!=", ">", "<", ">=", "<=", "=~", "!~"];
const DURATIONS = ["10ms", "100ms", "500ms", "1s", "5s"];
const SUGGESTIONS_MAX = 60;

const plain = (kind: Suggestion["kind"], label: string, insert: string = `${label} `): Suggestion => ({
  label,
  insert,
  kind,
  spanCount: null,
});

export function fieldSuggestions(
  place: Extract<CompletionPlace, { kind: "field" }>,
  attributes: AttributesAnswer["attributes"],
): Suggestion[] {
  const known = new Set<string>();
  const found = attributes.flatMap(({ scope, key, spanCount }): Suggestion[] => {
    const label = writeField(scope, key);
    if (known.has(label)) return [];
    known.add(label);
    return [{ label, insert: `${label} `, kind: "attribute", spanCount }];
  });
  const own = INTRINSIC_FIELDS.map((name) => plain("intrinsic", name));
  // Most searches are for a service.
  const service = found.filter(({ label }) => label === "resource.service.name");
  const rest = found.filter(({ label }) => label !== "resource.service.name");
  return matching([...service, ...own.slice(0, 5), ...rest, ...own.slice(5)], place.typed);
}

export function valueSuggestions(
  place: Extract<CompletionPlace, { kind: "value" }>,
  values: AttributeValuesAnswer["values"],
): Suggestion[] {
  if (isDurationField(place.field))
    return matching(
      DURATIONS.map((text) => plain("value", text)),
      place.typed,
    );
  const found = values.map(({ value, type, spanCount }): Suggestion => ({
    label: value,
    insert: `${place.quoted ? quoteText(value) : writeValue(value, type, place.field)} `,
    kind: "value",
    spanCount,
  }));
  return matching(found, place.typed);
}

export function isDurationField(field: string): boolean {
  return field === "duration" || field === "traceDuration" || field === "span:duration" || field === "trace:duration";
}

export function operatorSuggestions(place: Extract<CompletionPlace, { kind: "operator" }>): Suggestion[] {
  const texts = { field: COMPARISONS, value: ["&&", "||", "}"], spanset: RELATIONS }[place.after];
  return texts.map((text) => plain("operator", text));
}

export function stageSuggestions(place: Extract<CompletionPlace, { kind: "pipeline" }>): Suggestion[] {
  return matching(
    STAGES.map(([label, insert]) => plain("function", label, insert)),
    place.typed,
  );
}

/** Those that begin with the text first, then those that contain it; letter case does not matter. */
function matching(suggestions: readonly Suggestion[], typed: string): Suggestion[] {
  const wanted = typed.toLowerCase();
  const rank = ({ label }: Suggestion): number => {
    const text = label.toLowerCase();
    if (text.startsWith(wanted) || text.replace(/^(?:span|resource)?\./, "").startsWith(wanted.replace(/^\./, ""))) return 0;
    return text.includes(wanted) ? 1 : 2;
  };
  return suggestions
    .map((suggestion) => ({ suggestion, rank: rank(suggestion) }))
    .filter((item) => item.rank < 2)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, SUGGESTIONS_MAX)
    .map(({ suggestion }) => suggestion);
}
