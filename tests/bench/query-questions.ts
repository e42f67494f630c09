/** Every question of the design's table of targets, in the words of the REST API, and what its answer may take. */
import { traceIdOf } from "../support/store-spans.ts";
import { SERVICE_COUNT, corpusServiceName } from "./corpus.ts";

export const DAY_FROM_NANO = 1_768_435_200_000_000_000n;
export const DAY_NANO = 86_400_000_000_000n;
export const HOUR_NANO = DAY_NANO / 24n;

export interface OwnQuestion {
  readonly name: string;
  /** p95 in milliseconds, warm, on 20M spans over 24 h; null: none was set. */
  readonly targetMs: number | null;
  /** Path and query below /api/v1, with other values for each repeat. */
  readonly ask: (repeat: number) => string;
  readonly repeatsMax?: number;
  /** After each, for somebody who watches. */
  readonly restMs?: number;
}

const range = (from: bigint, nano: bigint): string => `from=${from}&to=${from + nano}`;
const day = range(DAY_FROM_NANO, DAY_NANO);
const hour = (repeat: number): string => range(DAY_FROM_NANO + BigInt(repeat % 23) * HOUR_NANO, HOUR_NANO);
const service = (repeat: number): string => encodeURIComponent(corpusServiceName(repeat % SERVICE_COUNT));
const user = (repeat: number): string => `u-${((repeat * 7919) % 100_000).toString(16).padStart(8, "0")}`;
const query = (text: string): string => `q=${encodeURIComponent(text)}`;
/** A name of the service's: see corpus.ts. */
const nameLike = (repeat: number): string => `span:name =~ ".*/${repeat % SERVICE_COUNT}-[0-4]"`;

function traces(ids: readonly string[]): OwnQuestion[] {
  const id = (repeat: number): string => ids[(repeat * 13) % ids.length] ?? "";
  return [
    { name: "trace by id, 10-20 spans, skeleton", targetMs: 20, ask: (repeat) => `/traces/${id(repeat)}?view=skeleton` },
    { name: "trace by id, 10-20 spans, tree", targetMs: null, ask: (repeat) => `/traces/${id(repeat + 50)}?view=tree` },
    { name: "trace by id, 10-20 spans, OTLP JSON", targetMs: null, ask: (repeat) => `/traces/${id(repeat + 100)}` },
    { name: "trace of 1,000 spans, skeleton", targetMs: 40, ask: () => `/traces/${traceIdOf(1_000)}?view=skeleton` },
    {
      name: "trace of 100,000 spans, skeleton",
      targetMs: 400,
      ask: () => `/traces/${traceIdOf(100_000)}?view=skeleton`,
      repeatsMax: 10,
    },
  ];
}

const searches: readonly OwnQuestion[] = [
  { name: "newest 20 of a service, 1 h", targetMs: 40, ask: (at) => `/traces?${hour(at)}&service=${service(at)}` },
  { name: "newest 20 of a service, 24 h", targetMs: null, ask: (at) => `/traces?${day}&service=${service(at)}` },
  { name: "newest 20 of anything, 1 h", targetMs: 100, ask: (at) => `/traces?${hour(at)}` },
  { name: "slowest 20 of a service, 24 h", targetMs: null, ask: (at) => `/traces?${day}&sort=slowest&service=${service(at)}` },
  { name: "slowest 20 of anything, 24 h", targetMs: null, ask: () => `/traces?${day}&sort=slowest`, repeatsMax: 10 },
  {
    name: "service + name + duration + error, 24 h",
    targetMs: 40,
    ask: (at) => `/traces?${day}&status=error&minDuration=${100 + at}ms&service=${service(at)}&${query(`{ ${nameLike(at)} }`)}`,
  },
  {
    name: "attribute equality, 24 h, rare value",
    targetMs: 30,
    ask: (at) => `/traces?${day}&${query(`{ span.user.id = "${user(at)}" }`)}`,
  },
  {
    name: "attribute equality, 24 h, rare value, span or resource",
    targetMs: null,
    ask: (at) => `/traces?${day}&attribute=user.id%3D${user(at + 500)}`,
  },
  {
    name: "attribute equality, 24 h, common value",
    targetMs: 100,
    ask: (at) => `/traces?${day}&${query(`{ span.http.request.method = "GET" && duration > ${at}us }`)}`,
  },
  {
    name: "regular expression on an attribute of a service, 24 h",
    targetMs: 150,
    ask: (at) => `/traces?${day}&service=${service(at)}&${query(`{ span.url.path =~ ".*/${at}9[0-9]" }`)}`,
    repeatsMax: 10,
  },
  {
    name: "structural (A calls B with error), 24 h",
    targetMs: 500,
    ask: (at) =>
      `/traces?${day}&${query(`{ resource.service.name = "${corpusServiceName(at % SERVICE_COUNT)}" } > { status = error && duration > ${at}us }`)}`,
    repeatsMax: 10,
  },
];

const aggregates: readonly OwnQuestion[] = [
  { name: "RED of every service, 24 h", targetMs: 100, ask: () => `/services?${day}`, repeatsMax: 10 },
  {
    name: "percentiles of one service by minute, 24 h",
    targetMs: 100,
    ask: (at) => `/latency?${day}&step=1m&service=${service(at)}`,
  },
  { name: "percentiles of one service, 24 h", targetMs: null, ask: (at) => `/latency?${day}&service=${service(at)}` },
  { name: "heatmap of everything, 24 h", targetMs: 150, ask: () => `/heatmap?${day}`, repeatsMax: 10 },
  { name: "service graph, 24 h", targetMs: 150, ask: () => `/dependencies?${day}`, repeatsMax: 10 },
  { name: "service graph, 1 h", targetMs: null, ask: (at) => `/dependencies?${hour(at)}`, repeatsMax: 10 },
  {
    name: "what sets a service's errors apart, 24 h",
    targetMs: 1_000,
    ask: (at) => `/outliers?${day}&service=${service(at)}&selection=${encodeURIComponent("{ status = error }")}`,
    repeatsMax: 10,
  },
  {
    name: "critical path over 10,000 traces of a service, 24 h",
    targetMs: 1_000,
    ask: (at) => `/critical-path?${day}&service=${service(at)}`,
    repeatsMax: 10,
  },
  {
    name: "attribute values while typing",
    targetMs: 50,
    ask: (at) => `/attributes/user.id/values?${day}&prefix=u-000${(at % 16).toString(16)}`,
  },
];

/** `ids`: traces of the corpus to ask for. */
export function ownQuestions(ids: readonly string[]): OwnQuestion[] {
  return [...traces(ids), ...searches, ...aggregates];
}

/** Behind the last full minute, as "until now" is. */
const UNTIL_NANO = DAY_FROM_NANO + HOUR_NANO - 13_000_000_000n;

/** What the page asks of the last minutes of an hour that is filled. */
function pageQuestionsOf(minutes: bigint): OwnQuestion[] {
  const length = minutes * 60_000_000_000n;
  const part = range(UNTIL_NANO - length, length);
  const question = (name: string, ask: (at: number) => string): OwnQuestion => ({
    name: `${name}, ${minutes} min`,
    targetMs: null,
    ask,
    repeatsMax: 10,
  });
  const series = (at: number, text: string): string =>
    `/series?${part}&${query(text.replace("SERVICE", corpusServiceName(at % SERVICE_COUNT)))}`;
  return [
    question("services", () => `/services?${part}`),
    question("a service's page", (at) => `/services/${service(at)}?${part}`),
    question("latency of everything", () => `/latency?${part}`),
    question("latency of a service", (at) => `/latency?${part}&service=${service(at)}`),
    question("heatmap", () => `/heatmap?${part}`),
    question("slowest spans of everything", () => `/exemplars?${part}`),
    question("service graph", () => `/dependencies?${part}`),
    question("newest traces", () => `/traces?${part}`),
    question("slowest traces", () => `/traces?${part}&sort=slowest`),
    question("errors a second by service", (at) => series(at, "{ status = error } | rate() by (resource.service.name)")),
    question("a service's errors compared", (at) =>
      series(at, '{ resource.service.name = "SERVICE" } | compare({ status = error })'),
    ),
    question("services while typing", (at) => `/attributes/service/values?${part}&prefix=${"crpsuo"[at % 6] ?? ""}`),
    question("values while typing", (at) => `/attributes/user.id/values?${part}&prefix=u-000${(at % 16).toString(16)}`),
    question("names while typing", (at) => `/attributes?${part}&prefix=${["h", "u", "db", "k8s"][at % 4] ?? ""}`),
  ];
}

export const pageQuestions: readonly OwnQuestion[] = [...pageQuestionsOf(15n), ...pageQuestionsOf(59n)];

/** Asked as a page does that is watched while spans arrive. */
export const questionsUntilNow: readonly OwnQuestion[] = [
  watched("service graph, last hour", (part) => `/dependencies?${part}`),
  watched("services, last hour", (part) => `/services?${part}`),
  watched("latency of a service, last hour", (part, at) => `/latency?${part}&service=${service(at)}`),
  watched("newest 20 of a service, last hour", (part, at) => `/traces?${part}&service=${service(at)}`),
];

function watched(name: string, ask: (part: string, at: number) => string): OwnQuestion {
  const lastHour = (): string => range(BigInt(Date.now()) * 1_000_000n - HOUR_NANO, HOUR_NANO);
  return { name, targetMs: null, ask: (at) => ask(lastHour(), at), restMs: 1_000 };
}
