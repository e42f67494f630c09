import { AttributeValuesAnswer, AttributesAnswer } from "@callchain/schemas/api/catalog.ts";
import { listAttributeValues, listAttributes } from "../store/attributes.ts";
import { GROUP_FIELD_ACCEPTED, parseGroupField } from "../store/group-by.ts";
import { pathParam, queryParam, timeRange } from "./params.ts";
import { refuseParameter } from "./problem.ts";
import { defineRoute } from "./route.ts";

const SCOPES = ["any", "span", "resource"] as const;

const attributesRoute = defineRoute({
  path: "/attributes",
  summary: "Attribute names in use, with the number of spans that have them",
  params: {
    ...timeRange,
    scope: queryParam.oneOf(SCOPES, "any", "Where the attributes stand"),
    prefix: queryParam.text("How the names begin, in either case"),
    limit: queryParam.wholeNumber(100, 1, 1000, "Names at most"),
  },
  answer: AttributesAnswer,
  handle: ({ from, to, scope, prefix, limit }, context) =>
    listAttributes({ range: { from, to }, scope, prefix: prefix ?? "", limit }, context),
});

const attributeValuesRoute = defineRoute({
  path: "/attributes/{key}/values",
  summary: "Values of an attribute or intrinsic, with the number of spans that have them",
  params: {
    key: pathParam.text(
      "A field: service, name, kind, status, span.http.route, resource.service.version, or a bare attribute name",
    ),
    ...timeRange,
    prefix: queryParam.text("How the values begin, in either case"),
    limit: queryParam.wholeNumber(50, 1, 1000, "Values at most"),
  },
  answer: AttributeValuesAnswer,
  handle: ({ key, from, to, prefix, limit }, context) => {
    const field = parseGroupField(key);
    if (field === undefined) throw refuseParameter("key", key, GROUP_FIELD_ACCEPTED);
    return listAttributeValues({ key, field, range: { from, to }, prefix: prefix ?? "", limit }, context);
  },
});

export const attributeRoutes = [attributesRoute, attributeValuesRoute] as const;
