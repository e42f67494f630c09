/** What distinguishes calls beside service, name and kind: the database statement without its literals, or the route. */
import { textMapOf } from "@callchain/schemas/clickhouse/word-keys.ts";

/** The value of a span's string attribute, "" where it has none. The key is one of ours. */
const valueSql = (key: string): string => `toString(${textMapOf(key)}.values[indexOf(${textMapOf(key)}.keys, '${key}')])`;

/** The first that is not empty. */
const firstSql = (keys: readonly string[]): string => keys.map((key) => `nullIf(${valueSql(key)}, '')`).join(", ");

const STATEMENT_KEYS = ["db.query.text", "db.statement"];
const PLACE_KEYS = ["db.query.summary", "http.route", "url.template", "messaging.destination.name", "rpc.method"];
const DETAIL_CHARS_MAX = 300;
const STATEMENT_CHARS_MAX = 4_000;

/** Statements come with their parameters as sent; ids that no lexer takes for a literal (`GET cart:5f3a...`) are cut out too. */
const IDS = "[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\\\\b[0-9a-fA-F]{12,}\\\\b";
const statementSql = `nullIf(trimBoth(replaceRegexpAll(normalizeQuery(substringUTF8(coalesce(${firstSql(STATEMENT_KEYS)}, ''), 1, ${STATEMENT_CHARS_MAX})), '${IDS}', '?')), '')`;

/** SQL of LowCardinality(String) over the columns of `spans`; "" where there is none. */
export const DETAIL_SQL = `toLowCardinality(substringUTF8(coalesce(${statementSql}, ${firstSql(PLACE_KEYS)}, ''), 1, ${DETAIL_CHARS_MAX}))`;
