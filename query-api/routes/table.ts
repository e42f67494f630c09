/** Every route of `/api/v1`, in the order of the OpenAPI document. A new route file adds its definitions here. */
import { getHealth, getReady } from "./health.ts";
import { defineOpenApiRoute } from "./openapi.ts";
import type { RouteDefinition } from "./route.ts";

export const routes: readonly RouteDefinition[] = [getHealth, getReady, defineOpenApiRoute(() => routes)];
