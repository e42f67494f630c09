/** Questions that cost as much as a question can, and spans that make them so. */
import { attributes, buildSpan, spanIdOf, text, traceIdOf } from "./store-spans.ts";
import { encodeTraces } from "@callchain/schemas/otlp/export.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";

/** A pattern whose states are too many for RE2 to keep: it reads such texts at a few MB a second. */
const SLOW_PATTERN = "[ab]*a[ab]{20}[cd]";
const TEXT_CHARS = 8_192;
const REGEX_CHARS_MAX = 256;

/** As many alternatives as a regular expression may be long. */
function alternatives(): string {
  let pattern = "zz";
  for (let at = 0; pattern.length < REGEX_CHARS_MAX - 8; at += 1) pattern += `|.*${at.toString(36)}.*x`;
  return pattern;
}

const q = (query: string): string => `q=${encodeURIComponent(query)}`;
const slow = (field: string): string => `${field} =~ ${JSON.stringify(SLOW_PATTERN)}`;
const everywhere = Array.from({ length: 60 }, (_, at) => `.key${at} =~ ${JSON.stringify(`${SLOW_PATTERN}${at}`)}`).join(" || ");

/** Path and query below /api/v1; the range is the last day. */
export const HOSTILE_QUESTIONS: readonly (readonly [name: string, path: string])[] = [
  ["everything below everything", `/traces?limit=200&${q("{ } >> { } >> { } >> { } >> { } &>> { }")}`],
  ["a slow pattern on long texts", `/latency?${q(`{ ${slow("span.text")} }`)}`],
  ["a slow pattern on names", `/traces?sort=slowest&${q(`{ ${slow("name")} || ${slow("event:name")} }`)}`],
  ["as many alternatives as may be", `/series?${q(`{ .text =~ ${JSON.stringify(alternatives())} } | rate() by(name)`)}`],
  ["sixty patterns on any attribute", `/heatmap?${q(`{ ${everywhere} || ${slow(".text")} }`)}`],
  ["everything, slowest first", "/traces?limit=200&sort=slowest"],
  ["latency by an attribute of a million values", "/latency?by=span.ledger.content&groups=100&step=1m"],
  ["every attribute compared", `/series?${q("{ } | compare({ duration > 1ms }, 100)")}`],
  ["each span with its whole trace", `/traces?${q("{ duration * trace:spanCount > traceDuration / (span:childCount + 1) }")}`],
  ["critical paths of everything", `/critical-path?by=span.ledger.content&${q("{ } > { } | count() > 1")}`],
  ["outliers of everything", `/outliers?selection=${encodeURIComponent(`{ ${slow("span.text")} || duration > 1us }`)}`],
  ["the service graph of everything", "/dependencies?depth=5"],
];

/** Requests with spans of names and texts of 8 KB, a few MB each, at the times given. */
export function buildHostileRequests(count: number, startNano: bigint): Uint8Array<ArrayBuffer>[] {
  return Array.from(
    { length: count },
    (_, request) =>
      new Uint8Array(
        encodeTraces(
          Array.from({ length: 250 }, (_unused, at) => {
            const number = request * 250 + at;
            return buildSpan({
              traceId: traceIdOf(10_000_000 + number),
              spanId: spanIdOf(10_000_000 + number),
              service: "hostile",
              name: longText(number),
              startNano: unixNano(startNano + BigInt(number) * 1_000_000n),
              attributes: attributes({ text: text(longText(number + 1)) }),
            });
          }),
        ),
      ),
  );
}

/** Letters that keep RE2 from deciding early, others for each number. */
function longText(number: number): string {
  let state = number + 1;
  let letters = "";
  while (letters.length < TEXT_CHARS) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    for (let bit = 8; bit < 24; bit += 1) letters += ((state >> bit) & 1) === 1 ? "a" : "b";
  }
  return letters;
}

export interface HostileAnswer {
  readonly name: string;
  /** null: the client left before it came. */
  readonly status: number | null;
  readonly elapsedMs: number;
}

/**
 * `count` clients that ask one hostile question after another until the signal aborts, each beginning elsewhere in the list; with
 * `leavesAfterMs` they leave every other answer after that time.
 */
export async function askHostile(
  queryUrl: string,
  count: number,
  signal: AbortSignal,
  leavesAfterMs: number | null = null,
): Promise<HostileAnswer[]> {
  const answers: HostileAnswer[] = [];
  const client = async (first: number): Promise<void> => {
    for (let at = first; !signal.aborted; at += 1) {
      const [name, path] = HOSTILE_QUESTIONS[at % HOSTILE_QUESTIONS.length] ?? ["", ""];
      const leaving = leavesAfterMs !== null && at % 2 === 1 ? [AbortSignal.timeout(leavesAfterMs)] : [];
      const startedMs = performance.now();
      const status = await ask(`${queryUrl}/api/v1${path}&from=now-24h&to=now%2B1h`, AbortSignal.any([signal, ...leaving]));
      answers.push({ name, status, elapsedMs: performance.now() - startedMs });
    }
  };
  await Promise.all(Array.from({ length: count }, (_, at) => client(at)));
  return answers;
}

async function ask(url: string, signal: AbortSignal): Promise<number | null> {
  try {
    const response = await fetch(url, { signal });
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}
