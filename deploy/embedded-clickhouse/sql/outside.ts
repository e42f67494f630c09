/**
 * Keeps statements inside the engine. chDB runs as its user with no access rules of its own, so any program that reaches the port could
 * read that user's files through `file()` or the network through `url()` - also under `readonly=2`, which readers use. Here such
 * functions, engines and dictionary sources are refused by name for every request (ClickHouse src/TableFunctions, src/Storages,
 * src/Dictionaries); this server's own `file()` around a spooled body is put in after the check.
 */
import { EngineError, ERROR } from "../engine/errors.ts";
import type { Token } from "./tokens.ts";

const OUTSIDE = new RegExp(
  `^(?:${[
    "(?:file|url|s3|gcs|oss|cosn|hdfs|azureblobstorage|iceberg|deltalake|hudi|paimon|remote)(?:local|s3|azure|hdfs|secure)?(?:cluster)?",
    "filelog|s3queue|azurequeue|cluster|clusterallreplicas|distributed|executable|executablepool|http|clickhouse|mysql|postgresql",
    "materializedpostgresql|mongodb|mongo|redis|sqlite|odbc|jdbc|cassandra|kafka|nats|rabbitmq|hive|ytsaurus|arrowflight|arrowstream",
    "python|catboostevaluate|ytsaurusdynamictable|library|disk|prometheus\\w*",
  ].join("|")})$`,
  "i",
);
/** A name after one of these is being defined or written to, not called. */
const NAMED_AFTER: ReadonlySet<string> = new Set(["TABLE", "INTO", "VIEW", "EXISTS", "TO", "."]);
const REFUSED_STATEMENTS: ReadonlySet<string> = new Set(["BACKUP", "RESTORE", "SNAPSHOT", "COPY"]);

/** Throws EngineError ACCESS_DENIED for a statement that reaches files or other servers. */
export function refuseOutside(tokens: readonly Token[]): void {
  const first = tokens[0];
  if (first?.kind === "word" && REFUSED_STATEMENTS.has(first.text)) throw denied(first.text);
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== "word" && token.kind !== "quoted") continue;
    const name = token.kind === "word" ? token.text : token.text.slice(1, -1);
    const before = tokens[i - 1]?.text ?? "";
    const isEngine = before === "ENGINE" || (before === "=" && tokens[i - 2]?.text === "ENGINE");
    const isCalled = tokens[i + 1]?.text === "(" && !NAMED_AFTER.has(before);
    // An escape in a quoted name could spell any of them.
    if ((isEngine || isCalled) && (OUTSIDE.test(name) || name.includes("\\"))) throw denied(`${name}()`);
    if (token.kind === "word" && ((name === "OUTFILE" && before === "INTO") || (name === "INFILE" && before === "FROM"))) {
      throw new EngineError(
        ERROR.UNKNOWN_TYPE_OF_QUERY,
        `${before} ${name} names a file of the client: send or read the rows over HTTP.`,
      );
    }
  }
}

function denied(name: string): EngineError {
  return new EngineError(
    ERROR.ACCESS_DENIED,
    `${name} reaches outside the embedded engine and is refused: send the rows over HTTP instead.`,
  );
}
