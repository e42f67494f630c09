/**
 * The hops between the parts. Each interface says what success promises and who owns the bytes afterwards; one contract suite per
 * port (tests/contract) runs against every implementation.
 */

/** A position in the log. Offsets of a partition rise by at least 1 from record to record; they start at 0. */
export interface LogPosition {
  readonly partition: number;
  readonly offset: bigint;
}

/** One OTLP ExportTraceServiceRequest in protobuf, as it was acknowledged. */
export interface LogRecord extends LogPosition {
  readonly value: Uint8Array;
}

/** Where receivers put requests. Local segments in the all-in-one, a Kafka topic in the distributed mode. */
export interface SpanLogAppender {
  /**
   * Appends one scanned OTLP protobuf request. Resolves when it is durable: only then may the sender be told so. Rejects with Failure
   * "overloaded" at the log's cap and "unavailable" when it cannot be written (disk full, broker away); then nothing was acknowledged
   * and the sender may retry. The bytes are lent until the promise settles: their memory is used again afterwards.
   */
  append(request: Uint8Array): Promise<void>;
}

/** What became of the spans of one request. */
export interface ImportedSpans {
  readonly acceptedSpanCount: number;
  readonly rejectedSpanCount: number;
  /** Why the rejected ones were left out; null where there are none. */
  readonly rejection: string | null;
}

/** Where the spans of a file go: the same way as an exporter's. */
export interface SpanImporter {
  /**
   * Takes one ExportTraceServiceRequest in OTLP/JSON. Resolves when its good spans are durable. Rejects with InvalidError where it is no
   * OTLP, and as SpanLogAppender.append does; then nothing was taken.
   */
  importJson(request: Uint8Array): Promise<ImportedSpans>;
}

/** Whoever counts the calls between stored spans ahead of questions. */
export interface CallCounter {
  /**
   * While spans arrive by the ten thousand and are counted as they come: every one that was stored before this instant is, in milliseconds since
   * 1970. 0 else: then `countNow` tells.
   */
  readonly countedUntilMs: number;
  /**
   * Counts what waits, where that is soon done. Resolves with whether every span that was stored at the call is counted now; the question joins them
   * itself where not. Never rejects.
   */
  countNow(): Promise<boolean>;
}

/** What the writer does with the partitions it is given. The log calls it for one partition at a time, in order. */
export interface LogConsumer {
  /** The partition is ours from now on. Returns the first offset wanted: one past the high-water mark found in the rows. */
  assign(partition: number): Promise<bigint>;
  /**
   * Records of one partition in offset order. The log delivers no more of this partition until the promise settles: that is the
   * backpressure. The records' bytes are valid until the promise settles. On rejection the log calls `assign` again and delivers
   * from what it returns.
   */
  deliver(partition: number, records: readonly LogRecord[]): Promise<void>;
  /**
   * The log has nothing more of this partition to deliver right now: what is buffered may be stored at once.
   */
  idle(partition: number): void;
  /** The partition is no longer ours: drop what is buffered; resolve when no insert for it is in flight any more. */
  revoke(partition: number): Promise<void>;
}

/** Where the writer reads requests. */
export interface SpanLogReader {
  /** Delivers to the consumer until the signal aborts, then revokes every partition and resolves. */
  consume(consumer: LogConsumer, signal: AbortSignal): Promise<void>;
  /**
   * The rows through this offset are stored and synced: the log may forget them. Advisory - after a restart the position comes
   * from the rows.
   */
  release(position: LogPosition): Promise<void>;
}

/** A log record that can never be decoded. */
export interface DeadLetter extends LogPosition {
  readonly reason: string;
  readonly record: Uint8Array;
}

/** Where the writer puts what it can never store, so that it can go on behind it: a Kafka topic, or a table. */
export interface DeadLetterBox {
  /**
   * Resolves when the letter is durable: only then may the writer pass on. After a crash the same letter may be kept again; its
   * position says that it is the same. Rejects with a Failure when it could not be kept; then it is to be tried again.
   */
  keep(letter: DeadLetter): Promise<void>;
}
