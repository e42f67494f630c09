/** URL parameters of ClickHouse's HTTP interface (https://clickhouse.com/docs/interfaces/http), sorted by what they mean. */
import { BODY_FILE_PARAMETER } from "@callchain/schemas/clickhouse/body-file.ts";
import { EngineError, ERROR } from "../engine/errors.ts";

export interface RequestParameters {
  readonly query: string;
  readonly queryId: string | null;
  readonly database: string | null;
  readonly defaultFormat: string | null;
  readonly isCompressionEnabled: boolean;
  readonly compressionLevel: number;
  /** `wait_end_of_query`: the client wants its answer whole or not at all. */
  readonly isWhole: boolean;
  /** Of an INSERT whose rows lie in the spool already: the name of their file. */
  readonly bodyFile: string | null;
  /** Query parameters (`param_x=`), escaped by the rules of TSV as they came. */
  readonly params: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
}

/** Meant for the HTTP layer of a server, without a meaning or an effect here. */
const IGNORED: ReadonlySet<string> = new Set(
  (
    "user password quota_key stacktrace buffer_size add_http_cors_header " +
    "client_protocol_version send_progress_in_http_headers http_headers_progress_interval_ms " +
    "http_response_buffer_size cancel_http_readonly_queries_on_client_close"
  ).split(" "),
);
/** What would change the meaning of a request if it were ignored. */
const REFUSED: Readonly<Record<string, string>> = {
  session_id: "sessions are not kept: every statement has settings of its own",
  role: "there are no roles in the embedded engine",
  compress: "ClickHouse's own compression is not spoken: use enable_http_compression=1 with Accept-Encoding: gzip",
  decompress: "ClickHouse's own compression is not spoken: use Content-Encoding: gzip",
};
const SETTING_NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;
const PARAMETER_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Throws EngineError for what is not spoken here. Unknown settings pass: the engine names them best. */
export function readParameters(search: Iterable<readonly [string, string]>): RequestParameters {
  const params = new Map<string, string>();
  const settings = new Map<string, string>();
  const known = new Map<string, string>();
  for (const [name, value] of search) {
    if (KNOWN.has(name)) known.set(name, name === "query" ? `${known.get(name) ?? ""}${value}` : value);
    else if (name.startsWith("param_")) params.set(checked(PARAMETER_NAME, name.slice("param_".length)), value);
    else if (!IGNORED.has(name)) settings.set(checkedSetting(name, value), value);
  }
  const level = Number(settings.get("http_zlib_compression_level") ?? 3);
  return {
    query: known.get("query") ?? "",
    queryId: known.get("query_id") || null,
    database: known.get("database") || null,
    defaultFormat: known.get("default_format") || null,
    isCompressionEnabled: isOn(known.get("enable_http_compression")),
    compressionLevel: Number.isInteger(level) && level >= 1 && level <= 9 ? level : 3,
    isWhole: isOn(known.get("wait_end_of_query")),
    bodyFile: known.get(BODY_FILE_PARAMETER) ?? null,
    params,
    settings,
  };
}

const KNOWN: ReadonlySet<string> = new Set([
  ..."query query_id database default_format enable_http_compression wait_end_of_query".split(" "),
  BODY_FILE_PARAMETER,
]);

function isOn(value: string | undefined): boolean {
  return value === "1" || value === "true";
}

function checkedSetting(name: string, value: string): string {
  const refusal = REFUSED[name];
  if (refusal !== undefined && value !== "0" && value !== "")
    throw new EngineError(ERROR.NOT_IMPLEMENTED, `${name}: ${refusal}.`);
  return checked(SETTING_NAME, name);
}

function checked(pattern: RegExp, name: string): string {
  if (!pattern.test(name))
    throw new EngineError(ERROR.BAD_ARGUMENTS, `Name ${JSON.stringify(name)} is neither a setting nor a parameter.`);
  return name;
}
