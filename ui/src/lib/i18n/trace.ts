/** The trace page. */
export const TRACE_TEXTS = {
  "trace.title": ["Trace {id}", "追踪 {id}"],
} as const;
