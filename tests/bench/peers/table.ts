/** The Markdown of the ingest bench, from the runs of its JSON. */
import { formatNumber, formatRatio, formatSpread, formatTable, groupBy, spreadOf } from "../report.ts";
import type { IngestRun, KillRun, Step } from "./measure-ingest.ts";

/** What the ratios are of. */
const OWN = "callchain";

const medianOf = (values: readonly number[]): number | undefined => (values.length === 0 ? undefined : spreadOf(values).median);
const present = <T>(values: readonly (T | null | undefined)[]): T[] =>
  values.filter((value) => value !== null && value !== undefined);

const fastestOf = (runs: readonly IngestRun[]): Step[] => present(runs.map(({ steps }) => steps.at(-1)));

/** Found and, for a system that keeps nothing, accepted spans a second. */
const rateOf = (step: Step): number => step.foundPerSecond ?? step.acceptedPerSecond;

export function formatIngestRuns(runs: readonly IngestRun[]): string {
  const parts = [...groupBy(runs, ({ variant }) => variant)].map(([variant, members]) => formatVariant(variant, members));
  const setups = [...groupBy(runs, ({ system }) => system)].map(([system, members]) => {
    const versions = [...new Set(members.map(({ version }) => version))].join(", ");
    return `- ${system}: ${versions}; ${members[0]?.setup ?? ""}`;
  });
  return [setups.join("\n"), ...parts, formatRates(runs)].join("\n\n");
}

function formatVariant(variant: string, runs: readonly IngestRun[]): string {
  const head = [
    "system",
    "spans/s acknowledged",
    "spans/s found",
    "beside Callchain",
    "CPU s per 1M",
    "beside Callchain",
    "until at rest",
    "RSS peak MiB",
    "B/span",
    "ack p50 / p99 ms",
    "refused",
    "missing of asked",
    "missing by count",
    "runs",
  ];
  const bySystem = groupBy(runs, ({ system }) => system);
  const own = fastestOf(bySystem.get(OWN) ?? []);
  const rows = [...bySystem].map(([system, members]) => {
    const steps = fastestOf(members);
    const column = (read: (step: Step) => number): number[] => steps.map(read);
    const asked = members.flatMap((run) => run.steps).reduce((sum, step) => sum + step.askedSpans, 0);
    const missing = members.flatMap((run) => run.steps).reduce((sum, step) => sum + step.missingSpans, 0);
    const cpu = (step: Step): number => step.cpuSecondsPerMillion;
    const byCount = present(members.map((run) => run.missingByCount));
    return [
      system,
      formatSpread(column((step) => step.acceptedPerSecond)),
      formatSpread(present(steps.map((step) => step.foundPerSecond))),
      formatRatio(medianOf(steps.map(rateOf)), medianOf(own.map(rateOf))),
      formatSpread(column(cpu), 1),
      formatRatio(medianOf(steps.map(cpu)), medianOf(own.map(cpu))),
      formatSpread(
        column((step) => step.cpuSecondsPerMillionSettled),
        1,
      ),
      formatSpread(members.map((run) => run.rssPeakMiB)),
      formatSpread(present(members.map((run) => run.bytesPerSpan)), 1),
      `${formatSpread(
        column((step) => step.ackP50Ms),
        1,
      )} / ${formatSpread(
        column((step) => step.ackP99Ms),
        1,
      )}`,
      formatNumber(steps.reduce((sum, step) => sum + step.refusals, 0)),
      asked === 0 ? "-" : `${formatNumber(missing)} of ${formatNumber(asked)}`,
      byCount.length === 0 ? "-" : formatNumber(byCount.reduce((sum, value) => sum + value, 0)),
      String(members.length),
    ];
  });
  return `### ${variant}, as fast as it goes\n\n${formatTable(head, rows)}`;
}

/** Rising rates: what was taken of what was offered. */
function formatRates(runs: readonly IngestRun[]): string {
  const steps = runs.flatMap(({ system, variant, steps: all }) =>
    all.filter(({ offeredPerSecond }) => offeredPerSecond > 0).map((step) => ({ system, variant, step })),
  );
  if (steps.length === 0) return "";
  const rows = [...groupBy(steps, ({ system, variant, step }) => `${variant} ${system} ${step.offeredPerSecond}`).values()].map(
    (members) => {
      const of = (read: (step: Step) => number | null): number[] => present(members.map(({ step }) => read(step)));
      return [
        members[0]?.variant ?? "",
        members[0]?.system ?? "",
        formatNumber(members[0]?.step.offeredPerSecond ?? 0),
        formatSpread(of((step) => step.acceptedPerSecond)),
        formatSpread(of((step) => step.foundPerSecond)),
        formatSpread(
          of((step) => step.ackP99Ms),
          1,
        ),
        formatSpread(
          of((step) => step.cpuSecondsPerMillion),
          1,
        ),
        formatSpread(of((step) => step.drainMs)),
        `${formatNumber(of((step) => step.missingSpans).reduce((sum, value) => sum + value, 0))} of ${formatNumber(of((step) => step.askedSpans).reduce((sum, value) => sum + value, 0))}`,
      ];
    },
  );
  const head = [
    "variant",
    "system",
    "offered/s",
    "acknowledged/s",
    "found/s",
    "ack p99 ms",
    "CPU s per 1M",
    "all found after ms",
    "missing of asked",
  ];
  return `### Rising rates\n\n${formatTable(head, rows)}`;
}

export function formatKills(runs: readonly KillRun[]): string {
  const rows = [...groupBy(runs, ({ system }) => system)].map(([system, members]) => [
    system,
    formatNumber(members.reduce((sum, run) => sum + run.acknowledgedSpans, 0)),
    formatNumber(members.reduce((sum, run) => sum + run.missingSpans, 0)),
    String(members.length),
  ]);
  return `### kill -9 under load, then a new start\n\n${formatTable(["system", "acknowledged spans", "missing afterwards", "kills"], rows)}`;
}
