/** Names of fields -> fields. */
import { ATTRIBUTE_SCOPES, INTRINSICS, attribute, intrinsic, type Field, type IntrinsicName } from "./query.ts";

export const FIELD_EXPECTED =
  "a field such as span.http.route, resource.service.name, .user.id, name, duration, status, statusMessage, kind, rootName or traceDuration";

const INTRINSIC_NAMES: ReadonlyMap<string, IntrinsicName> = new Map(
  // The keys of INTRINSICS are IntrinsicName.
  (Object.keys(INTRINSICS) as IntrinsicName[]).flatMap((name) =>
    [name, ...INTRINSICS[name].aliases].map((spelling) => [spelling, name] as const),
  ),
);

/** The field of a name: an intrinsic in any of its spellings, or a scoped attribute; undefined where it is neither. */
export function parseField(text: string, quotedFrom = -1): Field | undefined {
  const name = quotedFrom < 0 ? INTRINSIC_NAMES.get(text) : undefined;
  if (name !== undefined) return intrinsic(name);
  for (const scope of ATTRIBUTE_SCOPES) {
    const prefix = scope === "any" ? "." : `${scope}.`;
    if (text.startsWith(prefix) && text.length > prefix.length) return attribute(scope, text.slice(prefix.length));
  }
  return undefined;
}
