/** Bound parameters, and the text comparison that both compilers use. */
import { slowMatchSql } from "@callchain/schemas/clickhouse/slow-patterns.ts";
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

/** `subject` is SQL of a string. Regular expressions are anchored, as Tempo's are. */
export function compileText(subject: string, comparison: Comparison, value: string, bindings: Bindings): string {
  if (comparison !== "=~" && comparison !== "!~") return `${subject} ${comparison} ${bindings.bind("String", value)}`;
  const test = compileRegex(subject, value, bindings);
  return comparison === "=~" ? test : `NOT ${test}`;
}

function compileRegex(subject: string, value: string, bindings: Bindings): string {
  const contained = containedText(value);
  if (contained !== undefined) return `position(${subject}, ${bindings.bind("String", contained)}) > 0`;
  const pattern = bindings.bind("String", `^(?:${value})$`);
  return mayBeSlow(value) ? slowMatchSql(subject, pattern) : `match(${subject}, ${pattern})`;
}
