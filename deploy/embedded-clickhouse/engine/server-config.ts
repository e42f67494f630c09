/** Server settings of the engine, given to chDB as a configuration file when it opens. */

/** A block of 200,000 spans is about 18 MB as LZ4, and merging is what makes larger parts. */
const YOUNG_PART_MB_MAX = 32;

export interface EngineLimits {
  /** The engine refuses allocations past this (MEMORY_LIMIT_EXCEEDED, 241). Its own code and libraries come on top: about 250 MB. */
  readonly memoryBytesMax: number;
  /** Largest body of a request, as sent and as unpacked. */
  readonly bodyBytesMax: number;
}

/**
 * The setting that carries a statement's query id: chDB numbers statements itself and system.processes shows this beside its own
 * number. Without a query log a comment has no other use here.
 */
export const ID_SETTING = "log_comment";

/** Statistics of columns cost 0.24 CPU s per 1M spans, and none of our questions has a plan that they would choose. */
export function serverConfig(limits: EngineLimits): string {
  const megabyte = 1024 * 1024;
  return `<clickhouse>
  <max_server_memory_usage>${limits.memoryBytesMax}</max_server_memory_usage>
  <mark_cache_size>${64 * megabyte}</mark_cache_size>
  <index_mark_cache_size>${32 * megabyte}</index_mark_cache_size>
  <primary_index_cache_size>${32 * megabyte}</primary_index_cache_size>
  <index_uncompressed_cache_size>${128 * megabyte}</index_uncompressed_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <query_condition_cache_size>${16 * megabyte}</query_condition_cache_size>
  <compiled_expression_cache_size>${16 * megabyte}</compiled_expression_cache_size>
  <compression>
    <case>
      <min_part_size>${YOUNG_PART_MB_MAX * megabyte}</min_part_size>
      <min_part_size_ratio>0</min_part_size_ratio>
      <method>zstd</method>
      <level>1</level>
    </case>
  </compression>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <auto_statistics_types></auto_statistics_types>
    <min_bytes_for_wide_part>${128 * megabyte}</min_bytes_for_wide_part>
  </merge_tree>
</clickhouse>
`;
}
