/** One insert's worth of spans: log records in, a ClickHouse Native block out. */
import { InvalidError } from "../../span/errors.ts";
import type { LogRecord } from "../../span/ports.ts";
import { SpanColumns } from "./span-columns.ts";
import { SpanTranscoder } from "./span-transcoder.ts";

/**
 * Collects spans for the columns of spans-table.ts. The buffers are kept between blocks, so make one block and use it again.
 *
 *   const rows = block.append(record);   // as many records as the insert shall hold
 *   await database.insert(sql, block.encode(today));
 *   block.reset();
 */
export class SpanBlock {
  private readonly columns = new SpanColumns();
  private readonly transcoder = new SpanTranscoder(this.columns);

  get rowCount(): number {
    return this.columns.rowCount;
  }

  /** Bytes that the encoded block will take, about. */
  get byteCount(): number {
    return this.columns.byteCount;
  }

  /**
   * Appends the spans of one record; their count. The record's bytes are not kept. Throws InvalidError when the record is no OTLP
   * request or holds a span that `scanRequest` would leave out; the block is then as it was before. A record that came past the
   * receiver (a foreign Kafka producer's) can be appended as what `scanRequest` makes of it.
   */
  append(record: LogRecord): number {
    const { columns } = this;
    const before = columns.rowCount;
    columns.mark();
    try {
      this.transcoder.append(record.value);
    } catch (error) {
      columns.rollback();
      if (!(error instanceof InvalidError)) throw error;
      const place = `log record ${record.partition}/${record.offset}`;
      throw new InvalidError(`${place}: ${error.message}`, { cause: error });
    }
    const count = columns.rowCount - before;
    columns.logPartition.pushRepeated(record.partition, 0, count);
    const low = Number(BigInt.asIntN(32, record.offset));
    columns.logOffset.pushRepeated(low, Number(BigInt.asIntN(32, record.offset >> 32n)), count);
    return count;
  }

  /**
   * The block as the pieces of a request body, in order, for INSERT ... FORMAT Native. `ingestDay` is days since 1970-01-01, the same
   * for every row. The pieces are views on the block's buffers: they hold until the next `append` or `reset`.
   */
  encode(ingestDay: number): Uint8Array[] {
    const { columns } = this;
    columns.ingestDay.reset();
    columns.ingestDay.pushRepeated(ingestDay, 0, columns.rowCount);
    return columns.encode();
  }

  /** Empties the block. */
  reset(): void {
    this.columns.reset();
    this.transcoder.beginBlock();
  }
}
