/**
 * The wire format of OTLP traces as numbers. Source: opentelemetry-proto `collector/trace/v1/trace_service.proto`,
 * `trace/v1/trace.proto`, `resource/v1/resource.proto`, `common/v1/common.proto`. A tag is `field number << 3 | wire type`; wire
 * types are 0 varint, 1 fixed64, 2 length-delimited, 5 fixed32.
 *
 *   message        field                       number  type                     tag
 *   Request        resource_spans              1       ResourceSpans, repeated  0x0a
 *   ResourceSpans  resource                    1       Resource                 0x0a
 *                  scope_spans                 2       ScopeSpans, repeated     0x12
 *                  schema_url                  3       string                   0x1a
 *   Resource       attributes                  1       KeyValue, repeated       0x0a
 *                  dropped_attributes_count    2       uint32                   0x10
 *   ScopeSpans     scope                       1       InstrumentationScope     0x0a
 *                  spans                       2       Span, repeated           0x12
 *                  schema_url                  3       string                   0x1a
 *   Scope          name, version               1, 2    string                   0x0a, 0x12
 *                  attributes                  3       KeyValue, repeated       0x1a
 *                  dropped_attributes_count    4       uint32                   0x20
 *   Span           trace_id                    1       bytes, 16                0x0a
 *                  span_id                     2       bytes, 8                 0x12
 *                  trace_state                 3       string                   0x1a
 *                  parent_span_id              4       bytes, 8 or 0            0x22
 *                  name                        5       string                   0x2a
 *                  kind                        6       SpanKind                 0x30
 *                  start_time_unix_nano        7       fixed64                  0x39
 *                  end_time_unix_nano          8       fixed64                  0x41
 *                  attributes                  9       KeyValue, repeated       0x4a
 *                  dropped_attributes_count    10      uint32                   0x50
 *                  events                      11      Event, repeated          0x5a
 *                  dropped_events_count        12      uint32                   0x60
 *                  links                       13      Link, repeated           0x6a
 *                  dropped_links_count         14      uint32                   0x70
 *                  status                      15      Status                   0x7a
 *                  flags                       16      fixed32                  0x85 (on the wire 85 01)
 *   Event          time_unix_nano              1       fixed64                  0x09
 *                  name                        2       string                   0x12
 *                  attributes                  3       KeyValue, repeated       0x1a
 *                  dropped_attributes_count    4       uint32                   0x20
 *   Link           trace_id, span_id           1, 2    bytes, 16 and 8          0x0a, 0x12
 *                  trace_state                 3       string                   0x1a
 *                  attributes                  4       KeyValue, repeated       0x22
 *                  dropped_attributes_count    5       uint32                   0x28
 *                  flags                       6       fixed32                  0x35
 *   Status         message                     2       string                   0x12
 *                  code                        3       StatusCode               0x18
 *   KeyValue       key                         1       string                   0x0a
 *                  value                       2       AnyValue                 0x12
 *   AnyValue       string_value                1       string                   0x0a
 *                  bool_value                  2       bool                     0x10
 *                  int_value                   3       int64                    0x18
 *                  double_value                4       double                   0x21
 *                  array_value                 5       ArrayValue               0x2a
 *                  kvlist_value                6       KeyValueList             0x32
 *                  bytes_value                 7       bytes                    0x3a
 *   ArrayValue     values                      1       AnyValue, repeated       0x0a
 *   KeyValueList   values                      1       KeyValue, repeated       0x0a
 *
 * AnyValue 8 and KeyValue 3 (string table references, profiles only) are unknown fields here and skipped.
 */
export const REQUEST = { resourceSpans: 0x0a } as const;
export const RESOURCE_SPANS = { resource: 0x0a, scopeSpans: 0x12, schemaUrl: 0x1a } as const;
export const RESOURCE = { attributes: 0x0a, droppedAttributesCount: 0x10 } as const;
export const SCOPE_SPANS = { scope: 0x0a, spans: 0x12, schemaUrl: 0x1a } as const;
export const SCOPE = { name: 0x0a, version: 0x12, attributes: 0x1a, droppedAttributesCount: 0x20 } as const;
export const SPAN = {
  traceId: 0x0a,
  spanId: 0x12,
  traceState: 0x1a,
  parentSpanId: 0x22,
  name: 0x2a,
  kind: 0x30,
  startTimeUnixNano: 0x39,
  endTimeUnixNano: 0x41,
  attributes: 0x4a,
  droppedAttributesCount: 0x50,
  events: 0x5a,
  droppedEventsCount: 0x60,
  links: 0x6a,
  droppedLinksCount: 0x70,
  status: 0x7a,
  flags: 0x85,
} as const;
export const EVENT = { timeUnixNano: 0x09, name: 0x12, attributes: 0x1a, droppedAttributesCount: 0x20 } as const;
export const LINK = {
  traceId: 0x0a,
  spanId: 0x12,
  traceState: 0x1a,
  attributes: 0x22,
  droppedAttributesCount: 0x28,
  flags: 0x35,
} as const;
export const STATUS = { message: 0x12, code: 0x18 } as const;
export const KEY_VALUE = { key: 0x0a, value: 0x12 } as const;
export const ANY_VALUE = {
  stringValue: 0x0a,
  boolValue: 0x10,
  intValue: 0x18,
  doubleValue: 0x21,
  arrayValue: 0x2a,
  kvlistValue: 0x32,
  bytesValue: 0x3a,
} as const;
/** ArrayValue and KeyValueList alike. */
export const LIST = { values: 0x0a } as const;

/** AnyValue may nest this deep: a plain value has depth 1, a value in an array depth 2. */
export const VALUE_DEPTH_MAX = 32;
/** Attributes, events and links that one span may carry, and attributes of an event, a link, a resource or a scope. */
export const ELEMENT_COUNT_MAX = 1 << 16;
/** Largest defined SpanKind and StatusCode; other numbers are stored as 0 (unspecified, unset), as proto3 readers do. */
export const KIND_MAX = 5;
export const STATUS_CODE_MAX = 2;

/** Expected wire type by field number, 0xff where the message has no such field. */
export type WireTypes = Uint8Array;

function wireTypes(tags: Readonly<Record<string, number>>): WireTypes {
  const types = new Uint8Array(32).fill(0xff);
  for (const tag of Object.values(tags)) types[tag >>> 3] = tag & 7;
  return types;
}

export const REQUEST_TYPES = wireTypes(REQUEST);
export const RESOURCE_SPANS_TYPES = wireTypes(RESOURCE_SPANS);
export const RESOURCE_TYPES = wireTypes(RESOURCE);
export const SCOPE_SPANS_TYPES = wireTypes(SCOPE_SPANS);
export const SCOPE_TYPES = wireTypes(SCOPE);
export const SPAN_TYPES = wireTypes(SPAN);
export const EVENT_TYPES = wireTypes(EVENT);
export const LINK_TYPES = wireTypes(LINK);
export const STATUS_TYPES = wireTypes(STATUS);
export const KEY_VALUE_TYPES = wireTypes(KEY_VALUE);
export const ANY_VALUE_TYPES = wireTypes(ANY_VALUE);
export const LIST_TYPES = wireTypes(LIST);
