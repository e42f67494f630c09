/** Traces of any size that look like ones from production: nested calls, runs of alike ones, errors, a few dozen services. */
import { Random } from "@callchain/deploy/demo/random.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { buildSpan, spanIdOf, traceIdOf } from "../support/store-spans.ts";
import { corpusServiceName } from "./corpus.ts";

const SERVICE_COUNT = 40;
const NAME_COUNT = 300;
const ROOT_NANO = 60_000_000_000;
/** A call has this many others below it, or a run of alike ones. */
const CHILDREN_MAX = 9;
const RUN_MIN = 12;
const RUN_MAX = 40;
const RUN_SHARE = 0.12;
const ERROR_SHARE = 0.01;

interface Call {
  readonly id: number;
  readonly start: number;
  readonly duration: number;
  readonly service: number;
}

/** Breadth first, so that every size is a whole tree. The same number and size give the same trace. */
export function* largeTrace(number: number, spanCount: number, startNano: bigint): Generator<Span> {
  const random = new Random(number);
  const queue: Call[] = [];
  const emit = (parent: Call | null, start: number, duration: number, service: number, name: number): Span => {
    const id = queue.length + 1;
    queue.push({ id, start, duration, service });
    return buildSpan({
      traceId: traceIdOf(number),
      spanId: spanIdOf(id),
      parentSpanId: parent === null ? null : spanIdOf(parent.id),
      name: `operation ${name}`,
      kind: parent !== null && parent.service === service ? "client" : "server",
      service: corpusServiceName(service),
      startNano: unixNano(startNano + BigInt(Math.round(start))),
      durationNano: BigInt(Math.round(duration)),
      status: random.chance(ERROR_SHARE) ? { code: "error", message: "failed" } : { code: "unset", message: "" },
    });
  };
  yield emit(null, 0, ROOT_NANO, 0, 0);
  for (let at = 0; queue.length < spanCount; at += 1) {
    const parent = queue[at];
    if (parent === undefined) return;
    const isRun = random.chance(RUN_SHARE);
    const childCount = isRun ? random.integer(RUN_MIN, RUN_MAX) : random.integer(1, CHILDREN_MAX);
    const slot = (parent.duration * 0.96) / childCount;
    const isParallel = !isRun && random.chance(0.3);
    const service = random.chance(0.5) ? parent.service : random.integer(0, SERVICE_COUNT - 1);
    const name = random.integer(1, NAME_COUNT);
    for (let child = 0; child < childCount && queue.length < spanCount; child += 1) {
      const start = parent.start + parent.duration * 0.02 + (isParallel ? random.between(0, slot / 2) : child * slot);
      const duration = (isParallel ? slot * childCount * 0.8 : slot) * random.between(0.3, 0.95);
      yield emit(parent, start, duration, isRun ? parent.service : service, isRun ? name : (name + child) % NAME_COUNT);
    }
  }
}
