/** Bound parameters, and the text comparison that both compilers use. */
import type { Comparison } from "./query.ts";
import { containedText, mayBeSlow } from "./regex.ts";

/** Collects bound parameters; `bind` gives back the placeholder. */
export class Bindings {
  readonly params: Record<string, unknown> = {};
  readonly #prefix: string;
  readonly #placeholders = new Map<string, string>();
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  bind(type: "String" | "Int64" | "UInt64" | "Float64", value: string | bigint | number): string {
    const identity = `${type} ${typeof value} ${String(value)}`;
    const known = this.#placeholders.get(identity);
    if (known !== undefined) return known;
    const name = `${this.#prefix}${this.#count}`;
    this.#count += 1;
    this.params[name] = typeof value === "bigint" ? value.toString() : value;
    const placeholder = `{${name}:${type}}`;
    this.#placeholders.set(identity, placeholder);
    return placeholder;
  }
}

/**
 * `subject` is SQL of a string. Regular expressions are anchored, as Tempo's are. One that may be slow sees plain strings: over a column
 * with a dictionary the server would try the whole dictionary, up to 8192 texts, in one go, and look at no limit meanwhile (70 s of names
 * of 8 KB were measured, under a limit of 2 s). The database reads small blocks for it, by that CAST.
 */
export function compileText(subject: string, comparison: Comparison, value: string, bindings: Bindings): string {
  if (comparison !== "=~" && comparison !== "!~") return `${subject} ${comparison} ${bindings.bind("String", value)}`;
  const contained = containedText(value);
  const text = mayBeSlow(value) ? `CAST(${subject}, 'String')` : subject;
  const test =
    contained === undefined
      ? `match(${text}, ${bindings.bind("String", `^(?:${value})$`)})`
      : `position(${subject}, ${bindings.bind("String", contained)}) > 0`;
  return comparison === "=~" ? test : `NOT ${test}`;
}
