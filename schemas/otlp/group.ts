/** Spans back into OTLP's nesting: resource, scope, spans. */
import { ANOMALY, type Resource, type Scope, type Span } from "../span/span.ts";
import { formatCanonicalObject } from "./canonical-json.ts";

/** The spans of one scope of one resource, in the order given. */
export interface ScopeGroup {
  readonly scope: Scope;
  readonly spans: Span[];
}

export interface ResourceGroup {
  readonly resource: Resource;
  readonly scopes: ScopeGroup[];
}

/** OTLP's nesting of spans that share equal resources and scopes, in order of first appearance. */
export function groupByResource(spans: readonly Span[]): ResourceGroup[] {
  const keys = new WeakMap<object, string>();
  const resources = new Map<string, { group: ResourceGroup; scopes: Map<string, ScopeGroup> }>();
  for (const span of spans) {
    const resourceKey = keyOf(keys, span.resource, [span.resource.schemaUrl, span.resource.droppedAttributesCount]);
    const scopeMarks = [span.scope.name, span.scope.version, span.scope.schemaUrl, span.scope.droppedAttributesCount];
    const scopeKey = keyOf(keys, span.scope, scopeMarks);
    let found = resources.get(resourceKey);
    if (found === undefined) {
      found = { group: { resource: span.resource, scopes: [] }, scopes: new Map() };
      resources.set(resourceKey, found);
    }
    let scope = found.scopes.get(scopeKey);
    if (scope === undefined) {
      scope = { scope: span.scope, spans: [] };
      found.scopes.set(scopeKey, scope);
      found.group.scopes.push(scope);
    }
    scope.spans.push(span);
  }
  return [...resources.values()].map(({ group }) => group);
}

function keyOf(keys: WeakMap<object, string>, of: Resource | Scope, rest: readonly unknown[]): string {
  const known = keys.get(of);
  if (known !== undefined) return known;
  const key = `${JSON.stringify(rest)}${formatCanonicalObject(of.attributes)}`;
  keys.set(of, key);
  return key;
}

/** Start and end as they were sent: a span without a start was stored at its end. */
export function sentTimes(span: Span): { start: bigint; end: bigint } {
  const end = span.startNano + span.durationNano;
  return { start: (span.anomalies & ANOMALY.startMissing) === 0 ? span.startNano : 0n, end };
}
