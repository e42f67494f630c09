/**
 * An exception's stack trace (OpenTelemetry `exception.stacktrace`: the text the language prints) cut into parts that fold: a run of
 * frames that belong to libraries becomes one line. The text is never changed, only grouped.
 */
export interface StackPart {
  readonly type: "text" | "library";
  readonly lines: readonly string[];
}

/** Frames of the language's own and of installed packages, by how the common runtimes write them. */
const LIBRARY_FRAMES: readonly RegExp[] = [
  /[\\/]node_modules[\\/]|\(node:|at node:|\(internal\//, // Node
  /[\\/](?:site|dist)-packages[\\/]|[\\/]lib[\\/]python\d/, // Python
  /^\s*at (?:java|javax|jdk|sun|com\.sun|kotlin|scala|org\.(?:springframework|apache|hibernate|eclipse|jboss)|io\.(?:netty|grpc))\./, // JVM
  /^\s*at (?:System|Microsoft)\./, // .NET
  /[\\/]usr[\\/]local[\\/]go[\\/]|[\\/]go[\\/]pkg[\\/]mod[\\/]|^(?:runtime|net\/http|testing)[./]/, // Go
  /[\\/]gems[\\/]|[\\/]vendor[\\/]/, // Ruby, PHP
];

/** Fewer library frames than this are not worth folding. */
const FOLD_COUNT_MIN = 2;

export function splitStackTrace(text: string): StackPart[] {
  const parts: StackPart[] = [];
  let lines: string[] = [];
  let inLibrary = false;
  const close = (): void => {
    if (lines.length === 0) return;
    const type = inLibrary && lines.length >= FOLD_COUNT_MIN ? "library" : "text";
    const last = parts.at(-1);
    if (type === "text" && last?.type === "text") parts[parts.length - 1] = { type, lines: [...last.lines, ...lines] };
    else parts.push({ type, lines });
    lines = [];
  };
  for (const line of text.replace(/\s+$/, "").split(/\r?\n/)) {
    const isLibrary = LIBRARY_FRAMES.some((frame) => frame.test(line));
    if (isLibrary !== inLibrary) close();
    inLibrary = isLibrary;
    lines.push(line);
  }
  close();
  return parts;
}
