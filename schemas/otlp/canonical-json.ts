/**
 * Canonical JSON: attributes as one text with nothing lost, valid JSON for whoever reads it in SQL. The transcoder writes the same
 * text from wire bytes (schemas/clickhouse/native/value-json.ts).
 *
 *   AnyValue      text                                                      example
 *   string        JSON string                                               "cart"
 *   int           digits                                                    42, -9223372036854775808
 *   double        number with '.' or 'e', or {"$double": ...}               1.0, 5e-324, -0.0, {"$double":"NaN"}
 *   bool, empty   true, false, null
 *   bytes         {"$bytes": base64}                                        {"$bytes":"AAE="}
 *   array         JSON array                                                ["a",1]
 *   map           JSON object in the order sent; keys may repeat            {"a":1,"a":2}
 *
 * A key that begins with "$" is written with a second one: {"$$ref":1} is the key "$ref". At the top level of an object other "$" keys
 * are marks, which say what else the resource or scope has: {"service.name":"cart","$schema":"https://...","$dropped":1}.
 */
import { InvalidError } from "../span/errors.ts";
import type { Attribute, AttributeValue } from "../span/span.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";

export interface CanonicalObject {
  readonly attributes: Attribute[];
  /** By name without the "$", for instance "schema" and "dropped". */
  readonly marks: ReadonlyMap<string, AttributeValue>;
}

/** Marks of a resource, a scope, an event or a link, by name without the "$". */
export type CanonicalMarks = Iterable<readonly [string, AttributeValue]>;

/** Parses what `formatCanonicalObject` or the transcoder wrote; the empty text is the empty object. Throws InvalidError. */
export function parseCanonicalObject(text: string): CanonicalObject {
  const marks = new Map<string, AttributeValue>();
  if (text === "" || text === "{}") return { attributes: [], marks };
  const parser = new CanonicalParser(text);
  const members = parser.members();
  parser.end();
  const attributes: Attribute[] = [];
  for (const member of members) {
    if (member.isMark) {
      marks.set(member.key, member.value);
    } else {
      attributes.push({ key: member.key, value: member.value });
    }
  }
  return { attributes, marks };
}

/** Parses one value. Throws InvalidError. */
export function parseCanonicalValue(text: string): AttributeValue {
  const parser = new CanonicalParser(text);
  const value = parser.value();
  parser.end();
  return value;
}

/** The attributes in their order, then the marks. */
export function formatCanonicalObject(attributes: readonly Attribute[], marks: CanonicalMarks = []): string {
  const members = attributes.map(formatMember);
  for (const [name, value] of marks) members.push(`${JSON.stringify(`$${name}`)}:${formatCanonicalValue(value)}`);
  return `{${members.join(",")}}`;
}

export function formatCanonicalValue(value: AttributeValue): string {
  switch (value.type) {
    case "string":
      return JSON.stringify(value.value.toWellFormed());
    case "int":
      return value.value.toString();
    case "double":
      return formatDouble(value.value);
    case "bool":
      return value.value ? "true" : "false";
    case "empty":
      return "null";
    case "bytes":
      return `{"$bytes":"${encodeBase64(value.value)}"}`;
    case "array":
      return `[${value.value.map(formatCanonicalValue).join(",")}]`;
    default:
      return `{${value.value.map(formatMember).join(",")}}`;
  }
}

/** A double so that it cannot be read as an int: "1.0", "1e+21", {"$double":"NaN"}. The shortest digits that give it back. */
export function formatDouble(value: number): string {
  if (!Number.isFinite(value)) return `{"$double":"${value}"}`;
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return text.includes(".") || text.includes("e") ? text : `${text}.0`;
}

function formatMember({ key, value }: Attribute): string {
  const name = key.toWellFormed();
  return `${JSON.stringify(name.startsWith("$") ? `$${name}` : name)}:${formatCanonicalValue(value)}`;
}

interface Member {
  readonly key: string;
  readonly isMark: boolean;
  readonly value: AttributeValue;
}

const WHITE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\]|\\.)*"/sy;
/** Far above what is ever stored; keeps a foreign text from exhausting the stack. */
const DEPTH_MAX = 512;

class CanonicalParser {
  private readonly text: string;
  private pos = 0;
  private depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  value(): AttributeValue {
    this.skipWhite();
    switch (this.text[this.pos]) {
      case '"':
        return { type: "string", value: this.string() };
      case "{":
        return this.object();
      case "[":
        return this.array();
      case "t":
        return this.word("true", { type: "bool", value: true });
      case "f":
        return this.word("false", { type: "bool", value: false });
      case "n":
        return this.word("null", { type: "empty" });
      default:
        return this.number();
    }
  }

  /** The members of the object at the position. */
  members(): Member[] {
    const members: Member[] = [];
    this.enter("{");
    if (this.closes("}")) return members;
    do {
      this.skipWhite();
      const key = this.string();
      this.expect(":");
      const isMark = key.startsWith("$") && !key.startsWith("$$");
      members.push({ key: key.startsWith("$") ? key.slice(1) : key, isMark, value: this.value() });
    } while (this.continues("}"));
    return members;
  }

  end(): void {
    this.skipWhite();
    if (this.pos !== this.text.length) this.fail("the end");
  }

  private object(): AttributeValue {
    const members = this.members();
    const [first] = members;
    if (members.length === 1 && first?.isMark === true && first.value.type === "string") {
      if (first.key === "bytes") {
        const bytes = decodeBase64(first.value.value);
        return bytes === null ? this.fail("base64") : { type: "bytes", value: bytes };
      }
      if (first.key === "double") return { type: "double", value: Number(first.value.value) };
    }
    // A value has no marks: "$" keys of an object that is not a typed value would be a foreign text; keep them as they stand.
    return {
      type: "map",
      value: members.map(({ key, isMark, value }) => ({ key: isMark ? `$${key}` : key, value })),
    };
  }

  private array(): AttributeValue {
    const values: AttributeValue[] = [];
    this.enter("[");
    if (this.closes("]")) return { type: "array", value: values };
    do {
      values.push(this.value());
    } while (this.continues("]"));
    return { type: "array", value: values };
  }

  private number(): AttributeValue {
    NUMBER.lastIndex = this.pos;
    const match = NUMBER.exec(this.text);
    if (match === null) return this.fail("a value");
    this.pos = NUMBER.lastIndex;
    const isDouble = match[1] !== undefined || match[2] !== undefined;
    return isDouble ? { type: "double", value: Number(match[0]) } : { type: "int", value: BigInt(match[0]) };
  }

  private string(): string {
    STRING.lastIndex = this.pos;
    const match = STRING.exec(this.text);
    if (match === null) return this.fail("a string");
    this.pos = STRING.lastIndex;
    const [quoted] = match;
    if (!quoted.includes("\\")) return quoted.slice(1, -1);
    try {
      return String(JSON.parse(quoted));
    } catch {
      // Not lost: the message says where.
      return this.fail("a string with valid escapes");
    }
  }

  private word(word: string, value: AttributeValue): AttributeValue {
    if (!this.text.startsWith(word, this.pos)) this.fail("a value");
    this.pos += word.length;
    return value;
  }

  private enter(bracket: string): void {
    this.expect(bracket);
    if (++this.depth > DEPTH_MAX) this.fail(`at most ${DEPTH_MAX} levels`);
  }

  /** Whether the bracket follows at once; then it is taken. */
  private closes(bracket: string): boolean {
    this.skipWhite();
    if (this.text[this.pos] !== bracket) return false;
    this.pos++;
    this.depth--;
    return true;
  }

  /** True at a comma, false at the closing bracket. */
  private continues(bracket: string): boolean {
    if (this.closes(bracket)) return false;
    this.expect(",");
    return true;
  }

  private expect(character: string): void {
    this.skipWhite();
    if (this.text[this.pos] !== character) this.fail(JSON.stringify(character));
    this.pos++;
  }

  private skipWhite(): void {
    WHITE.lastIndex = this.pos;
    WHITE.test(this.text);
    this.pos = WHITE.lastIndex;
  }

  private fail(expected: string): never {
    const given = JSON.stringify(this.text.slice(this.pos, this.pos + 20));
    throw new InvalidError(`canonical JSON, character ${this.pos}: expected ${expected}, given ${given}`);
  }
}
