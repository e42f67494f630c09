/**
 * ClickHouse's Native format, for the few column types that spans are read in: whole columns at a time instead of a row's worth of
 * JSON. Source: https://clickhouse.com/docs/interfaces/formats/Native and ClickHouse `src/Formats/NativeWriter.cpp`,
 * `src/DataTypes/Serializations/SerializationLowCardinality.cpp`.
 *
 *   block    columnCount:varint  rowCount:varint  column*
 *   column   name:text  type:text  data            data of FixedString(n), UInt8, UInt16, (U)Int32, (U)Int64, Float64: rowCount values, little-endian
 *   Array(T) rowCount ends:u64, counted from the block's first element, then the elements as a column of T
 *   LowCardinality(String)
 *            version:u64=1  index:u64 (bits 0-7: bytes per index as a power of two)  keyCount:u64  key:text*  rowCount:u64  index*
 */
import { Failure } from "../../span/errors.ts";

/** One block's columns by name. */
export interface NativeBlock {
  readonly rowCount: number;
  readonly columns: ReadonlyMap<string, NativeColumn>;
}

/** Fixed-size values as bytes, arrays of them, or texts with an index per row. */
export type NativeColumn =
  | { readonly kind: "fixed"; readonly bytes: Uint8Array; readonly size: number }
  | { readonly kind: "array"; readonly ends: Uint32Array; readonly bytes: Uint8Array; readonly size: number }
  | { readonly kind: "text"; readonly keys: readonly string[]; readonly indexes: Uint8Array | Uint16Array | Uint32Array };

const FIXED_SIZES: ReadonlyMap<string, number> = new Map([
  ["UInt8", 1],
  ["UInt16", 2],
  ["UInt64", 8],
  ["Int64", 8],
  ["UInt32", 4],
  ["Int32", 4],
  ["Float64", 8],
]);

const KEYS_VERSION = 1n;
const decoder = new TextDecoder();

/** The blocks of a whole answer. Throws Failure "internal" where the bytes are not what the statement asked for. */
export function* readNative(bytes: Uint8Array): Generator<NativeBlock> {
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) {
    const columnCount = reader.varint();
    const rowCount = reader.varint();
    const columns = new Map<string, NativeColumn>();
    for (let at = 0; at < columnCount; at += 1) {
      const name = reader.text();
      columns.set(name, readColumn(reader, reader.text(), rowCount));
    }
    yield { rowCount, columns };
  }
}

function sizeOf(type: string): number {
  return FIXED_SIZES.get(type) ?? Number(/^FixedString\((\d+)\)$/.exec(type)?.[1] ?? 0);
}

function readColumn(reader: Reader, type: string, rowCount: number): NativeColumn {
  const elementSize = sizeOf(/^Array\((.+)\)$/.exec(type)?.[1] ?? "");
  if (elementSize > 0) {
    const ends = reader.lowWords(rowCount); // an answer has no 2^32 elements
    return { kind: "array", ends, bytes: reader.bytes((ends.at(-1) ?? 0) * elementSize), size: elementSize };
  }
  const size = sizeOf(type);
  if (size > 0) return { kind: "fixed", bytes: reader.bytes(size * rowCount), size };
  if (type !== "LowCardinality(String)") throw new Failure("internal", `a Native column of type ${type} was not asked for`);
  if (rowCount === 0) return { kind: "text", keys: [], indexes: new Uint8Array(0) };
  const version = reader.uint64();
  if (version !== KEYS_VERSION) throw new Failure("internal", `LowCardinality keys of version ${version} are not known`);
  const indexBytes = 1 << Number(reader.uint64() & 0xffn);
  const keyCount = Number(reader.uint64());
  const keys: string[] = [];
  for (let at = 0; at < keyCount; at += 1) keys.push(reader.text());
  const indexCount = Number(reader.uint64());
  // Copied, so that the view is aligned; a Buffer.slice would not copy.
  const { buffer } = new Uint8Array(reader.bytes(indexBytes * indexCount));
  const indexes =
    indexBytes === 1 ? new Uint8Array(buffer) : indexBytes === 2 ? new Uint16Array(buffer) : new Uint32Array(buffer);
  if (indexes.length !== rowCount || indexBytes > 4)
    throw new Failure("internal", "a LowCardinality column is not as long as its block");
  return { kind: "text", keys, indexes };
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes(1)[0] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  uint64(): bigint {
    const at = this.#at;
    this.bytes(8);
    return this.#view.getBigUint64(at, true);
  }

  /** The lower halves of 64-bit integers. */
  lowWords(count: number): Uint32Array {
    const from = this.#at;
    this.bytes(8 * count);
    const words = new Uint32Array(count);
    for (let at = 0; at < count; at += 1) words[at] = this.#view.getUint32(from + 8 * at, true);
    return words;
  }

  text(): string {
    return decoder.decode(this.bytes(this.varint()));
  }

  /** A view on the answer. */
  bytes(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Failure("unavailable", "the database's answer was cut off", { retryAfterMs: 1000 });
    const view = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return view;
  }
}
