/** The OpenAPI 3.1 document, generated from the route table and the zod schemas of the answers. */
import { Problem } from "@callchain/schemas/api/common.ts";
import { LINES_MEDIA_TYPE } from "@callchain/schemas/api/transfer.ts";
import { z } from "zod";
import type { Param } from "./params.ts";
import { PROBLEM_MEDIA_TYPE } from "./problem.ts";
import { defineRoute, type RouteDefinition } from "./route.ts";

export const API_PREFIX = "/api/v1";

interface SchemaSet {
  readonly schemas: Readonly<Record<string, unknown>>;
  readonly refs: ReadonlyMap<z.ZodType, Readonly<Record<string, string>>>;
}

/** Schemas with an id become components; the rest is written in place. */
function buildSchemas(routes: readonly RouteDefinition[]): SchemaSet {
  const registry = z.registry<{ id: string }>();
  const refs = new Map<z.ZodType, Readonly<Record<string, string>>>();
  const answers = [Problem, ...routes.map(({ answer }) => answer)];
  for (const answer of answers) {
    const id = z.globalRegistry.get(answer)?.id ?? `Answer${refs.size}`;
    if (refs.has(answer)) continue;
    registry.add(answer, { id });
    refs.set(answer, { $ref: `#/components/schemas/${id}` });
  }
  const { schemas } = z.toJSONSchema(registry, { io: "output", uri: (id) => `#/components/schemas/${id}` });
  const components: Record<string, unknown> = {};
  for (const [id, schema] of Object.entries(schemas)) hoist(id, schema, components);
  return { schemas: components, refs };
}

/** Moves each schema's own `$defs` up among the components and points its references there. */
function hoist(id: string, schema: unknown, components: Record<string, unknown>): void {
  const repointed: unknown = JSON.parse(
    // The names that a schema has of its own, not a property that is called "id": that one is described by an object.
    JSON.stringify(schema, (key, value: unknown) =>
      typeof value === "string" && (key === "$schema" || key === "$id" || key === "id") ? undefined : value,
    ).replaceAll(/"#\/components\/schemas\/[^"#]*#\/(?:\$defs|definitions)\/|"#\/\$defs\//g, '"#/components/schemas/'),
  );
  if (typeof repointed !== "object" || repointed === null) return;
  const { $defs, ...own } = repointed as Readonly<Record<string, unknown>>; // a JSON Schema is an object
  components[id] = own;
  if (typeof $defs === "object" && $defs !== null) Object.assign(components, $defs);
}

/** The document as JSON. */
export function buildOpenApi(routes: readonly RouteDefinition[]): Readonly<Record<string, unknown>> {
  const { schemas, refs } = buildSchemas(routes);
  const problem = {
    description: "RFC 9457 problem details",
    content: { [PROBLEM_MEDIA_TYPE]: { schema: refs.get(Problem) } },
  };
  const paths: Record<string, unknown> = {};
  for (const route of routes) {
    const content: Record<string, unknown> = { [route.answerMediaType]: { schema: refs.get(route.answer) } };
    for (const [mediaType, description] of route.otherMediaTypes) {
      content[mediaType] = { schema: { type: "string", contentMediaType: mediaType, description } };
    }
    paths[API_PREFIX + route.path] = {
      [route.method.toLowerCase()]: {
        operationId: operationIdOf(route),
        summary: route.summary,
        parameters: Object.entries(route.params).map(([name, param]) => buildParameter(name, param)),
        ...(route.method === "POST" ? { requestBody: UPLOAD } : {}),
        responses: {
          200: { description: route.summary, content },
          ...(route.mayBeMissing ? { 404: problem } : {}),
          default: problem,
        },
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Callchain",
      version: "1",
      description:
        "Questions about traces. Times are RFC 3339, Unix nanoseconds or relative (now-1h); answers carry nanoseconds. Every answer says what it looked at (scan) and whether it is complete.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: { schemas },
  };
}

/** The one kind of body there is. */
const UPLOAD = {
  required: true,
  description: "OTLP/JSON, one document or one per line; gzip by Content-Encoding or by its first bytes",
  content: { "application/json": { schema: {} }, [LINES_MEDIA_TYPE]: { schema: {} } },
};

function buildParameter(name: string, param: Param<unknown>): Readonly<Record<string, unknown>> {
  return {
    name,
    in: param.place,
    required: param.isRequired,
    description: `${param.description}. Accepted: ${param.accepted}`,
    schema: param.schema,
    ...(param.isRepeatable ? { style: "form", explode: true } : {}),
  };
}

/** `/traces/{id}/spans/{spanId}` -> `getTracesByIdSpansBySpanId`. */
function operationIdOf({ method, path }: RouteDefinition): string {
  const words = path.split(/[^A-Za-z0-9{}]+/).filter((word) => word !== "");
  return `${method.toLowerCase()}${words.map((word) => (word.startsWith("{") ? `By${capital(word.slice(1, -1))}` : capital(word))).join("")}`;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

export function defineOpenApiRoute(listRoutes: () => readonly RouteDefinition[]): RouteDefinition {
  return defineRoute({
    path: "/openapi.json",
    summary: "This document",
    params: {},
    answer: z.record(z.string(), z.unknown()).meta({ id: "OpenApiDocument" }),
    handle: () => Promise.resolve(buildOpenApi(listRoutes())),
  });
}
