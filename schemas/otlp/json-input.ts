/** Parsed OTLP/JSON as it comes from outside: checked reads that name the path of a fault. */
import { InvalidError } from "../span/errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

const DECODER = new TextDecoder("utf-8", { fatal: true });
/** A bare integer too long for a double: it must be read from the source text. */
const LONG_NUMBER = /[:[,]\s*-?\d{16,}/;
const INTEGER = /^-?\d{1,20}$/;

/** Where the reader is. Kept as two stacks, so that a good request builds no text. */
export class JsonPath {
  private readonly names: string[] = [];
  private readonly indexes: number[] = [];

  /** `index` is -1 for a field that is not a list. */
  push(name: string, index: number): void {
    this.names.push(name);
    this.indexes.push(index);
  }

  pop(): void {
    this.names.pop();
    this.indexes.pop();
  }

  toString(): string {
    const parts = this.names.map((name, at) => ((this.indexes[at] ?? -1) < 0 ? name : `${name}[${this.indexes[at]}]`));
    return parts.length === 0 ? "body" : parts.join(".");
  }

  /** Throws InvalidError: `path.name: expected ..., given ...`. */
  fail(name: string, expected: string, given: unknown): never {
    const path = this.names.length === 0 ? name || "body" : [this.toString(), name].filter((part) => part !== "").join(".");
    throw new InvalidError(`${path}: expected ${expected}, given ${describe(given)}`);
  }
}

function describe(given: unknown): string {
  if (given === undefined) return "nothing";
  if (Array.isArray(given)) return "an array";
  if (typeof given === "object" && given !== null) return "an object";
  const text = typeof given === "string" ? JSON.stringify(given) : (JSON.stringify(given) ?? typeof given);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

/** The body as an object, with integers beyond 2^53 as strings of their digits. Throws InvalidError. */
export function parseJson(body: Uint8Array): JsonObject {
  let text: string;
  try {
    text = DECODER.decode(body);
  } catch (error) {
    throw new InvalidError("body: expected JSON in UTF-8, given bytes that are not UTF-8", { cause: error });
  }
  let value: unknown;
  try {
    value = LONG_NUMBER.test(text) ? JSON.parse(text, keepLongNumber) : JSON.parse(text);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new InvalidError(`body: not valid JSON: ${cause}`, { cause: error });
  }
  return readObject(value, new JsonPath());
}

/** JSON.parse hands the source text of numbers to its reviver (ECMAScript 2026, "JSON.parse source text access"). */
function keepLongNumber(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && INTEGER.test(source) ? source : value;
}

export function readObject(value: unknown, path: JsonPath): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) path.fail("", "an object", value);
  // An object that came from JSON.parse.
  return value as JsonObject;
}

/** Absent and null are the empty list. */
export function readArray(value: unknown, name: string, path: JsonPath): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) path.fail(name, "an array", value);
  return value;
}

/**
 * An integer given as number or string. Small ones stay numbers; null when absent.
 */
export function readInteger(
  value: unknown,
  name: string,
  range: { readonly min: bigint; readonly max: bigint; readonly words: string },
  path: JsonPath,
): number | bigint | null {
  if (value === undefined || value === null) return null;
  let integer: number | bigint;
  if (typeof value === "number" && Number.isSafeInteger(value)) {
    integer = value;
  } else if (typeof value === "string" && INTEGER.test(value)) {
    integer = value.length < 16 ? Number(value) : BigInt(value);
  } else {
    return path.fail(name, range.words, value);
  }
  if (integer < range.min || integer > range.max) path.fail(name, range.words, value);
  return integer;
}
