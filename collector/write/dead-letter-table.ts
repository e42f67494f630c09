/** Dead letters in ClickHouse's table `dead_letters`, where there is no Kafka. */
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { insertDeadLetter } from "@callchain/schemas/clickhouse/insert-spans.ts";
import type { DeadLetterBox } from "@callchain/schemas/span/ports.ts";

export function deadLetterTable(database: SpanDatabase): DeadLetterBox {
  return { keep: (letter) => insertDeadLetter(database, letter) };
}
