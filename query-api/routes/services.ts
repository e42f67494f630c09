import { ServiceAnswer, ServicesAnswer } from "@callchain/schemas/api/catalog.ts";
import { getService, listServices } from "../store/services.ts";
import { pathParam, timeRange } from "./params.ts";
import { defineRoute } from "./route.ts";

const servicesRoute = defineRoute({
  path: "/services",
  summary: "Services with rate, errors and duration of their entry spans, beside the range of the same length just before",
  params: timeRange,
  answer: ServicesAnswer,
  handle: listServices,
});

const serviceRoute = defineRoute({
  path: "/services/{name}",
  summary: "One service: rate, errors, duration, span names, versions and instances",
  params: { name: pathParam.text("Exact service name"), ...timeRange },
  answer: ServiceAnswer,
  mayBeMissing: true,
  handle: ({ name, from, to }, context) => getService(name, { from, to }, context),
});

export const serviceRoutes = [servicesRoute, serviceRoute] as const;
