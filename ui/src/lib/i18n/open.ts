/** Files of traces. */
export const OPEN_TEXTS = {
  "open.title": ["Open a file", "打开文件"],
  "open.drop": ["Drop a file of traces here", "将追踪文件拖到此处"],
  "open.choose": ["Choose a file", "选择文件"],
  "open.another": ["Open another file", "打开其他文件"],
  "open.accepted": [
    "OTLP JSON (one document, or one per line), Jaeger JSON or Zipkin v2 JSON; gzip or not.",
    "支持 OTLP JSON（单个文档或每行一个）、Jaeger JSON、Zipkin v2 JSON，可用 gzip 压缩。",
  ],
  "open.stays": ["It is read in this browser: nothing is uploaded.", "文件只在浏览器中读取，不会上传。"],
  "open.sources": ["Where such files come from", "这些文件从哪里来"],
  "open.sources.views": [
    "An opened trace has every view: waterfall, flame graph, call graph, statistics and its raw JSON. It stays in this tab until it is closed, also over a reload.",
    "打开的追踪支持全部视图：瀑布图、火焰图、调用图、统计和原始 JSON。关闭之前，即使刷新，它也保留在此标签页中。",
  ],
  "open.reading": ["Reading…", "读取中…"],
  "open.failed": ["{name} cannot be opened", "无法打开 {name}"],
  "open.rejected": [
    "{count} span was left out. The first: {reason}|{count} spans were left out. The first: {reason}",
    "已略过 {count} 个 Span。第一个：{reason}",
  ],
  "open.close": ["Close the file", "关闭文件"],
  "open.format.otlp": ["OTLP JSON", "OTLP JSON"],
  "open.format.jaeger": ["Jaeger JSON", "Jaeger JSON"],
  "open.format.zipkin": ["Zipkin JSON", "Zipkin JSON"],
  "open.more": ["The newest {shown} of {count} traces are listed.", "共 {count} 条追踪，仅列出最新的 {shown} 条。"],
} as const;
