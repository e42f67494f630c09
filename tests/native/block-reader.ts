/**
 * Reads Native blocks back, for tests: every value as plain data, written from ClickHouse's description of the format and not from
 * the writer. 64-bit integers are bigint, FixedString is hex, String is decoded strictly, a Map is its pairs.
 */
export type NativeRow = ReadonlyMap<string, unknown>;

export function readBlock(block: Uint8Array): NativeRow[] {
  const reader = new BlockReader(block);
  const columnCount = reader.varint();
  const rowCount = reader.varint();
  const rows = Array.from({ length: rowCount }, () => new Map<string, unknown>());
  for (let column = 0; column < columnCount; column++) {
    const name = reader.string();
    const type = reader.string();
    if (rowCount === 0) continue;
    for (const _ of type.matchAll(/LowCardinality\(/g)) {
      if (reader.uint64() !== 1n) throw new Error(`${name}: LowCardinality version`);
    }
    const values = reader.values(type, rowCount);
    for (const [index, row] of rows.entries()) row.set(name, values[index]);
  }
  if (reader.pos !== block.length) throw new Error(`${block.length - reader.pos} bytes are left`);
  return rows;
}

const TEXT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class BlockReader {
  pos = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.view.getUint8(this.pos++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  string(): string {
    const length = this.varint();
    this.pos += length;
    if (this.pos > this.bytes.length) throw new Error("a string is cut off");
    return TEXT.decode(this.bytes.subarray(this.pos - length, this.pos));
  }

  uint64(): bigint {
    this.pos += 8;
    return this.view.getBigUint64(this.pos - 8, true);
  }

  values(type: string, count: number): unknown[] {
    const [, outer = type, inner = ""] = /^(\w+)\((.*)\)$/.exec(type) ?? [];
    if (outer === "LowCardinality") return this.lowCardinality(count);
    if (outer === "Array") return this.arrays(count, (total) => this.values(inner, total));
    if (outer === "Map") {
      const value = inner.slice(inner.indexOf(", ") + 2);
      return this.arrays(count, (total) => {
        const keys = this.lowCardinality(total);
        const values = this.values(value, total);
        return keys.map((key, index) => [key, values[index]]);
      });
    }
    return Array.from({ length: count }, () => this.scalar(outer, Number(inner)));
  }

  private arrays(count: number, read: (total: number) => unknown[]): unknown[][] {
    const ends = Array.from({ length: count }, () => Number(this.uint64()));
    const all = read(ends.at(-1) ?? 0);
    return ends.map((end, index) => all.slice(index === 0 ? 0 : ends[index - 1], end));
  }

  private lowCardinality(count: number): unknown[] {
    if (count === 0) return [];
    const flags = this.uint64();
    if ((flags & ~3n) !== 0x600n) throw new Error(`LowCardinality flags ${flags}`);
    const keys = Array.from({ length: Number(this.uint64()) }, () => this.string());
    if (Number(this.uint64()) !== count) throw new Error("LowCardinality count");
    const type = ["UInt8", "UInt16", "UInt32"][Number(flags & 3n)] ?? "UInt64";
    return Array.from({ length: count }, () => {
      const index = Number(this.scalar(type, 0));
      if (index >= keys.length) throw new Error(`LowCardinality index ${index} of ${keys.length}`);
      return keys[index];
    });
  }

  private scalar(type: string, size: number): unknown {
    const { view } = this;
    const at = this.pos;
    switch (type) {
      case "String":
        return this.string();
      case "FixedString":
        this.pos += size;
        return Buffer.from(this.bytes.subarray(at, this.pos)).toString("hex");
      case "UInt8":
        this.pos += 1;
        return view.getUint8(at);
      case "UInt16":
      case "Date":
        this.pos += 2;
        return view.getUint16(at, true);
      case "UInt32":
        this.pos += 4;
        return view.getUint32(at, true);
      case "UInt64":
        return this.uint64();
      case "Int64":
      case "DateTime64":
        this.pos += 8;
        return view.getBigInt64(at, true);
      case "Float64":
        this.pos += 8;
        return view.getFloat64(at, true);
      default:
        throw new Error(`type ${type}`);
    }
  }
}
