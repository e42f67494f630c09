/** Where the main thread's time goes, from a profile of V8 (`node --cpu-prof`; format: Chrome DevTools Protocol, Profiler.Profile). */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ROOT } from "../support/process.ts";
import { formatNumber, formatTable } from "./report.ts";

const Profile = z.object({
  nodes: z.array(
    z.object({ id: z.number(), callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }) }),
  ),
  /** Ids of the nodes that were running, and the microseconds before each sample. */
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});
type Profile = z.infer<typeof Profile>;

export interface FunctionTime {
  readonly name: string;
  /** Of the time in which the thread was not idle. Other threads and processes on the same core may have run in it too. */
  readonly share: number;
}

/** Functions by the time spent in themselves, longest first. */
export function sumProfile({ nodes, samples, timeDeltas }: Profile): FunctionTime[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const selfMicros = new Map<string, number>();
  let busyMicros = 0;
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? "?";
    if (name === "(idle)") continue;
    const micros = timeDeltas[index] ?? 0;
    selfMicros.set(name, (selfMicros.get(name) ?? 0) + micros);
    busyMicros += micros;
  }
  return [...selfMicros]
    .map(([name, micros]) => ({ name, share: micros / Math.max(1, busyMicros) }))
    .toSorted((a, b) => b.share - a.share);
}

function nameOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  if (url === "") return functionName;
  const path = url.replace(`file://${ROOT}/`, "").replace(/^.*node_modules\//, "");
  return `${functionName || "(anonymous)"} ${path}:${lineNumber + 1}`;
}

const SHOWN = 25;

/** The profiles in a directory, one table each. */
export function formatProfiles(dir: string): string {
  const files = readdirSync(dir).filter((name) => name.endsWith(".cpuprofile"));
  return files
    .map((name) => {
      const times = sumProfile(Profile.parse(JSON.parse(readFileSync(join(dir, name), "utf8"))));
      const rows = times.slice(0, SHOWN).map((time) => [`${formatNumber(time.share * 100, 1)}%`, time.name]);
      return `${join(dir, name)}\n\n${formatTable(["self", "function"], rows)}`;
    })
    .join("\n\n");
}
