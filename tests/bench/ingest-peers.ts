/**
 * `npm run bench -- ingest --peers`: the same spans at the same machine's one core, into Callchain and into what a user would pick instead.
 *
 *   --systems callchain,callchain-kafka,jaeger-memory,jaeger-badger,zipkin-memory,collector-nop    (all)
 *   --variants http-512,http-20,http-512-gzip,http-20-gzip,grpc-512,grpc-20,grpc-512-gzip,grpc-20-gzip    (the first, second and fifth)
 *   --rates 5000,20000,80000    rising rates before the flat-out load of the first variant (those); none: 0
 *   --seconds 6   --warm 4   --repeats 1   --kill   only the kill -9 measurement   --out bench-results   --append   adds to the JSON there
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { pin } from "./proc.ts";
import { findCallchain, findCallchainKafka } from "./peers/callchain.ts";
import { findFloor, findJaegerSystem } from "./peers/jaeger.ts";
import { IngestRun, KillRun, measureIngest, measureKill, type Variant } from "./peers/measure-ingest.ts";
import { SENDER_CORE, type FoundSystem, type TracingSystem } from "./peers/system.ts";
import { formatIngestRuns, formatKills } from "./peers/table.ts";
import { findZipkinSystem } from "./peers/zipkin.ts";
import { writeReport } from "./report.ts";

const SYSTEMS: Readonly<Record<string, () => FoundSystem>> = {
  callchain: findCallchain,
  "callchain-kafka": findCallchainKafka,
  "jaeger-memory": () => findJaegerSystem("memory"),
  "jaeger-badger": () => findJaegerSystem("badger"),
  "zipkin-memory": findZipkinSystem,
  "collector-nop": findFloor,
};

const VARIANTS: readonly Variant[] = (["http", "grpc"] as const).flatMap((transport) =>
  [false, true].flatMap((gzip) =>
    [512, 20].map((spansPerRequest) => ({
      name: `${transport}-${spansPerRequest}${gzip ? "-gzip" : ""}`,
      transport,
      spansPerRequest,
      gzip,
    })),
  ),
);
const STEP_SECONDS = 3;

function pick<T>(kind: string, given: string, of: (name: string) => T | undefined, accepted: readonly string[]): T[] {
  return given.split(",").map((name) => {
    const found = of(name.trim());
    if (found === undefined) throw new Error(`no ${kind} ${JSON.stringify(name)}; accepted: ${accepted.join(", ")}`);
    return found;
  });
}

export function findSystems(given: string | undefined): TracingSystem[] {
  const names = Object.keys(SYSTEMS);
  const finders = pick("system", given ?? names.join(","), (name) => SYSTEMS[name], names);
  return finders.flatMap((find) => {
    const found = find();
    if ("system" in found) return [found.system];
    process.stderr.write(`skipped ${found.name}: ${found.missing}\n`);
    return [];
  });
}

const OPTIONS = {
  systems: { type: "string" },
  variants: { type: "string", default: "http-512,http-20,grpc-512" },
  rates: { type: "string", default: "5000,20000,80000" },
  seconds: { type: "string", default: "6" },
  warm: { type: "string", default: "4" },
  repeats: { type: "string", default: "1" },
  kill: { type: "boolean", default: false },
  out: { type: "string", default: "bench-results" },
  append: { type: "boolean", default: false },
} as const;

export async function runIngestPeers(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const systems = findSystems(values.systems);
  // What this process does in between (asking, counting) shall not take the system's core.
  pin([process.pid], SENDER_CORE);
  const repeats = Array.from({ length: Number(values.repeats) });
  const keep = openReport(values.out, values.append);
  if (values.kill) {
    for (const _ of repeats) {
      for (const system of systems.filter(({ isSearchable }) => isSearchable)) keep.kill(await measureKill(system));
    }
    process.stdout.write(keep.text());
    return;
  }
  const names = VARIANTS.map(({ name }) => name);
  const variants = pick("variant", values.variants, (name) => VARIANTS.find((one) => one.name === name), names);
  const rates = values.rates
    .split(",")
    .map(Number)
    .filter((rate) => rate > 0);
  for (const _ of repeats) {
    for (const [index, variant] of variants.entries()) {
      for (const system of systems) {
        if (variant.transport === "grpc" && system.format === "zipkin") continue;
        const lasting = { stepSeconds: STEP_SECONDS, seconds: Number(values.seconds), warmSeconds: Number(values.warm) };
        const plan = { variant, rates: index === 0 ? rates : [], ...lasting };
        const run = await measureIngest(system, plan);
        const fastest = run.steps.at(-1);
        process.stderr.write(
          `${system.name} ${variant.name}: ${Math.round(fastest?.acceptedPerSecond ?? 0)} spans/s acknowledged, ${Math.round(fastest?.foundPerSecond ?? 0)} found, ${fastest?.cpuSecondsPerMillion.toFixed(1)} CPU s per 1M\n`,
        );
        keep.ingest(run);
      }
    }
  }
  process.stdout.write(keep.text());
}

/** Writes after each run: what was measured stays when a later system fails. */
function openReport(
  dir: string,
  isAppended: boolean,
): { ingest(run: IngestRun): void; kill(run: KillRun): void; text(): string } {
  let hasBegun = false;
  let text = "";
  const next = (): { dir: string; isAppended: boolean } => {
    const options = { dir, isAppended: isAppended || hasBegun };
    hasBegun = true;
    return options;
  };
  return {
    ingest: (run) => {
      text = writeReport({ ...next(), name: "ingest-peers", run: IngestRun, runs: [run], toMarkdown: formatIngestRuns });
    },
    kill: (run) => {
      text = writeReport({ ...next(), name: "ingest-kill", run: KillRun, runs: [run], toMarkdown: formatKills });
    },
    text: () => text,
  };
}
