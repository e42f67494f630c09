import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { EngineError, ERROR } from "../engine/errors.ts";
import { parseStatement, type Statement } from "./statement.ts";

function parse<K extends Statement["kind"]>(sql: string, kind: K): Statement & { kind: K } {
  const statement = parseStatement(Buffer.from(sql).toString("latin1"));
  assert.equal(statement.kind, kind, sql);
  // Just asserted.
  return statement as Statement & { kind: K };
}

function assertRefused(sql: string, code: number): void {
  assert.throws(
    () => parseStatement(Buffer.from(sql).toString("latin1")),
    (error) => error instanceof EngineError && error.code === code,
    sql,
  );
}

test("a SELECT's FORMAT clause is found behind strings, comments and columns called format", () => {
  assert.equal(parse("SELECT 1", "select").format, null);
  assert.equal(parse("SELECT ' FORMAT CSV' -- FORMAT TSV\nFORMAT JSONEachRow", "select").format, "JSONEachRow");
  assert.equal(parse("WITH 1 AS x SELECT x FORMAT Native SETTINGS max_threads=1;", "select").format, "Native");
  assert.equal(parse("SELECT format FROM t", "select").format, null);
  assert.equal(parse("SELECT 1 AS format", "select").format, null);
  assert.equal(parse("(SELECT 1 FORMAT x) UNION ALL SELECT 2", "select").format, null);
  assert.equal(parse("SELECT $tag$ FORMAT CSV $tag$, 2 /* a /* b */ FORMAT TSV */ FORMAT XML", "select").format, "XML");
});

test("a statement's end leaves out the semicolon, and a second statement is refused", () => {
  assert.equal(parse("SELECT 1; -- done", "select").end, 8);
  assertRefused("SELECT 1; DROP TABLE t", ERROR.SYNTAX_ERROR);
  assertRefused("DROP TABLE t; SELECT 1", ERROR.SYNTAX_ERROR);
  assert.equal(parse("SELECT ';'", "select").end, 10);
  assert.equal(parse(" -- nothing", "empty").kind, "empty");
});

test("an INSERT's data begins behind the format's name and one line break", () => {
  const data = (sql: string): string => sql.slice(parse(sql, "insert_data").dataAt);
  assert.equal(data("INSERT INTO t FORMAT Native\n\n\nx"), "\n\nx");
  assert.equal(data("INSERT INTO t (a, b) FORMAT JSONEachRow {\"a\":';'}"), "{\"a\":';'}");
  assert.equal(data("INSERT INTO t VALUES (1),(2);"), "(1),(2);");
  assert.equal(data("INSERT INTO format FORMAT CSV\n1"), "1");
  assert.equal(data("INSERT INTO db.values VALUES (1)"), "(1)");
  assert.equal(data("INSERT INTO `a b` (`format`) FORMAT TSV\r\n1"), "1");
});

test("an INSERT's SETTINGS stay behind the place of the file", () => {
  const sql = "INSERT INTO t (a) SETTINGS x=1 FORMAT CSV\n1";
  const { infileAt, headEnd, format } = parse(sql, "insert_data");
  assert.deepEqual(
    [sql.slice(0, infileAt), sql.slice(infileAt, headEnd), format],
    ["INSERT INTO t (a) ", "SETTINGS x=1 ", "CSV"],
  );
});

test("INSERT from input() names the place to rewrite, the structure and the data", () => {
  const sql = "INSERT INTO t SELECT a FROM input('a UInt8') WHERE throwIf((SELECT max(a) FROM t) != 1) = 0 FORMAT Native\n\0\0";
  const statement = parse(sql, "insert_input");
  assert.equal(sql.slice(statement.inputAt, statement.inputEnd), "input('a UInt8')");
  assert.equal(statement.structure, "'a UInt8'");
  assert.equal(sql.slice(statement.dataAt), "\0\0");
  assertRefused("INSERT INTO t SELECT a FROM input() FORMAT Native", ERROR.BAD_ARGUMENTS);
});

test("INSERT from a SELECT has no data", () => {
  parse("INSERT INTO t SELECT format, values FROM u", "insert_select");
  parse("INSERT INTO t (a) WITH 1 AS x SELECT x", "insert_select");
  assertRefused("INSERT INTO t SELECT 1; SELECT 2", ERROR.SYNTAX_ERROR);
});

test("whatever reaches outside the engine is refused, however it is written", () => {
  for (const sql of [
    "SELECT * FROM file('/etc/passwd', LineAsString)",
    "SELECT File ('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT \"\\x66ile\"('/etc/passwd')",
    "SELECT 1 /* */ + length(file/* x */('/etc/passwd'))",
    "/* /* */ ' */ SELECT file('/etc/passwd') -- '",
    "SELECT $x y$, file('/etc/passwd'), $x y$ FROM (SELECT 7 AS $x)",
    "SELECT a$b$, file('/etc/passwd') AS x, 1 AS c$b$",
    "SELECT * FROM url('http://127.0.0.1/', CSV)",
    "SELECT * FROM remoteSecure('127.0.0.1', system, one)",
    "INSERT INTO FUNCTION file('/tmp/x', CSV) SELECT 1",
    "INSERT INTO t SELECT * FROM s3Cluster('x', 'y')",
    "INSERT INTO t SELECT a FROM input('a UInt8'), url('http://x', CSV) FORMAT CSV\n1",
    "CREATE TABLE x (a UInt8) ENGINE = File(CSV, '/tmp/x')",
    "CREATE TABLE x (a UInt8) ENGINE File(CSV)",
    "CREATE DICTIONARY d (a UInt8) PRIMARY KEY a SOURCE(HTTP(url 'http://x'))",
    "BACKUP TABLE t TO Disk('x', 'y')",
  ]) {
    assertRefused(sql, ERROR.ACCESS_DENIED);
  }
  assertRefused("SELECT 1 INTO OUTFILE '/tmp/x'", ERROR.UNKNOWN_TYPE_OF_QUERY);
  assertRefused("INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV", ERROR.UNKNOWN_TYPE_OF_QUERY);
});

test("tables and columns may have such names", () => {
  parse("SELECT url, file, remote FROM cluster WHERE url = 'file(1)'", "select");
  parse("CREATE TABLE url (a UInt8) ENGINE = MergeTree ORDER BY a", "change");
  parse("INSERT INTO file (url) VALUES (1)", "insert_data");
});

test("characters beyond ASCII are for quotes and comments: ClickHouse reads some as spaces or quotes", () => {
  parse("SELECT 'é', \"ü\" -- ö", "select");
  assertRefused("SELECT\u00a0file('/etc/passwd')", ERROR.SYNTAX_ERROR);
  assertRefused("SELECT ‘ ' ’, file('/etc/passwd'), ' '", ERROR.SYNTAX_ERROR);
});

test("any text is parsed or refused with an error of ClickHouse's", () => {
  const part = fc.oneof(
    fc.constantFrom(
      "INSERT INTO t ",
      "SELECT ",
      "FORMAT ",
      "VALUES ",
      "'",
      "`",
      "(",
      ")",
      ";",
      "/*",
      "*/",
      "$a$",
      "\\",
      "--",
      "\n",
      "input('a')",
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
      try {
        parseStatement(Buffer.from(parts.join("")).toString("latin1"));
      } catch (error) {
        assert.ok(error instanceof EngineError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
