/** Suggestions for the query at the caret, asked of the API and kept for the time range they were asked for. */
import type { AttributesAnswer, AttributeValuesAnswer } from "@callchain/schemas/api/catalog.ts";
import { api } from "../../lib/api.ts";
import type { TimeRange } from "../../lib/time-range.ts";
import { completionPlace, fieldKey, type CompletionPlace } from "../../lib/traceql/completion.ts";
import {
  fieldSuggestions,
  isDurationField,
  operatorSuggestions,
  stageSuggestions,
  valueSuggestions,
  type Suggestion,
} from "../../lib/traceql/suggestions.ts";

export interface Completion {
  readonly from: number;
  readonly to: number;
  readonly suggestions: readonly Suggestion[];
}

const FIELD_LIMIT = 400;
const VALUE_LIMIT = 100;
const KEPT_MAX = 200;

export class Completer {
  readonly #range: () => TimeRange;
  readonly #kept = new Map<string, Promise<unknown>>();

  constructor(range: () => TimeRange) {
    this.#range = range;
  }

  /** Rejects with ApiError where the API does not answer; null where nothing can be offered. */
  async complete(text: string, at: number): Promise<Completion | null> {
    const place = completionPlace(text, at);
    if (place === null) return null;
    const suggestions = await this.#suggestions(place);
    return { from: place.from, to: place.kind === "value" ? place.to : at, suggestions };
  }

  async #suggestions(place: CompletionPlace): Promise<Suggestion[]> {
    switch (place.kind) {
      case "operator":
        return place.typed === "" ? operatorSuggestions(place) : [];
      case "pipeline":
        return stageSuggestions(place);
      case "field":
        return fieldSuggestions(place, await this.#attributes());
      case "value":
        return valueSuggestions(place, isDurationField(place.field) ? [] : await this.#values(place.field, place.typed));
      default:
        return [];
    }
  }

  async #attributes(): Promise<AttributesAnswer["attributes"]> {
    const { from, to } = this.#range();
    return (await this.#once(`${from} ${to}`, () => api.listAttributes({ from, to, limit: FIELD_LIMIT }))).attributes;
  }

  /** All values where they are few; of many those that begin with what was typed. */
  async #values(field: string, typed: string): Promise<AttributeValuesAnswer["values"]> {
    const { from, to } = this.#range();
    const key = fieldKey(field);
    const ask = (prefix: string): Promise<AttributeValuesAnswer> =>
      this.#once(`${from} ${to} ${key} ${prefix}`, () => api.listAttributeValues(key, { from, to, prefix, limit: VALUE_LIMIT }));
    const all = await ask("");
    return all.scan.partial && typed !== "" ? (await ask(typed)).values : all.values;
  }

  #once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const kept = this.#kept.get(key);
    // Kept under a key that its question made, so of that question's type.
    if (kept !== undefined) return kept as Promise<T>;
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    const asked = ask();
    this.#kept.set(key, asked);
    asked.catch(() => this.#kept.delete(key));
    return asked;
  }
}
