/** A key in canonical JSON: a leading "$" is doubled, since single ones are its own marks; see schemas/otlp/canonical-json.ts. */
export function canonicalKey(key: string): string {
  return key.startsWith("$") ? `$${key}` : key;
}
