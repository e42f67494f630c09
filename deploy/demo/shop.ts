/** The demo's shop: its services, where they run and what they are written in. */
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { Resource } from "@opentelemetry/resources";

interface ServiceSpec {
  readonly language: string;
  readonly scope: string;
  readonly versions: readonly [string, ...string[]];
  readonly hosts: readonly [string, ...string[]];
}

/** The one host whose clock is wrong, by this many milliseconds. */
export const SKEWED_HOST = { name: "node-3", offsetMs: 180 } as const;

/** The release and host on which inventory's stock query waits for locks: the planted cause of slow checkouts. */
export const SLOW_INVENTORY = { version: "3.2.0", host: "node-2" } as const;

const SERVICES = {
  storefront: { language: "webjs", scope: "@opentelemetry/instrumentation-fetch", versions: ["5.1.0"], hosts: ["node-1"] },
  "api-gateway": {
    language: "nodejs",
    scope: "@opentelemetry/instrumentation-http",
    versions: ["2.4.1"],
    hosts: ["node-1", "node-2"],
  },
  accounts: { language: "go", scope: "otelgrpc", versions: ["1.9.0"], hosts: ["node-1"] },
  catalog: { language: "java", scope: "io.opentelemetry.spring-webmvc", versions: ["7.0.3"], hosts: ["node-1", "node-2"] },
  recommendation: { language: "python", scope: "opentelemetry.instrumentation.flask", versions: ["0.8.2"], hosts: ["node-3"] },
  cart: { language: "dotnet", scope: "OpenTelemetry.Instrumentation.AspNetCore", versions: ["4.0.1"], hosts: ["node-1"] },
  checkout: { language: "go", scope: "otelgrpc", versions: ["2.2.0"], hosts: ["node-1", "node-2"] },
  inventory: { language: "java", scope: "io.opentelemetry.grpc", versions: ["3.1.4", "3.2.0"], hosts: ["node-1", "node-2"] },
  payment: { language: "nodejs", scope: "@opentelemetry/instrumentation-http", versions: ["1.15.0"], hosts: ["node-2"] },
  orders: { language: "java", scope: "io.opentelemetry.jdbc", versions: ["6.3.0"], hosts: ["node-2"] },
  shipping: { language: "rust", scope: "tracing-opentelemetry", versions: ["0.4.7"], hosts: ["node-3"] },
  notification: { language: "python", scope: "opentelemetry.instrumentation.kafka", versions: ["1.1.0"], hosts: ["node-1"] },
  billing: { language: "dotnet", scope: "OpenTelemetry.Instrumentation.Http", versions: ["2.0.0"], hosts: ["node-2"] },
} as const satisfies Record<string, ServiceSpec>;

export type ServiceName = keyof typeof SERVICES;

/** One running instance: what a resource describes. */
export interface Instance {
  readonly service: ServiceName;
  readonly version: string;
  readonly host: string;
  readonly scope: { readonly name: string; readonly version: string };
  readonly resource: Resource;
}

const instances = new Map<string, Instance>();

/** The instance of a service on one of its hosts, made once. A version belongs to a host, as in a rolling release. */
export function instanceOf(service: ServiceName, choice: number): Instance {
  const spec: ServiceSpec = SERVICES[service];
  const hostIndex = Math.floor(choice * spec.hosts.length);
  const host = spec.hosts[hostIndex] ?? spec.hosts[0];
  const key = `${service}@${host}`;
  const known = instances.get(key);
  if (known !== undefined) return known;
  const version = spec.versions[hostIndex] ?? spec.versions[0];
  const made: Instance = {
    service,
    version,
    host,
    scope: { name: spec.scope, version: "1.0.0" },
    resource: resourceFromAttributes({
      "service.name": service,
      "service.version": version,
      "service.namespace": "shop",
      "service.instance.id": `${service}-${host}-7c9f`,
      "deployment.environment.name": "demo",
      "host.name": host,
      "k8s.namespace.name": "shop",
      "k8s.pod.name": `${service}-5d8b6f7c9-${host.slice(-1)}x2kq`,
      "process.pid": 1000 + service.length * 7 + hostIndex,
      "telemetry.sdk.language": spec.language,
      "telemetry.sdk.name": "opentelemetry",
    }),
  };
  instances.set(key, made);
  return made;
}
