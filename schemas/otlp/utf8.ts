/** UTF-8 on raw bytes: checked cheaply, repaired when it is wrong. */

const REPAIRING_DECODER = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
const ENCODER = new TextEncoder();

/**
 * Whether the bytes are well-formed UTF-8 (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing beyond U+10FFFF).
 */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let pos = start;
  while (pos < end) {
    const lead = bytes[pos++] ?? 0;
    if (lead < 0x80) continue;
    let low = 0x80;
    let high = 0xbf;
    let more: number;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead === 0xe0) low = 0xa0;
      if (lead === 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead === 0xf0) low = 0x90;
      if (lead === 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (end - pos < more) return false;
    for (; more > 0; more--) {
      const byte = bytes[pos++] ?? 0;
      if (byte < low || byte > high) return false;
      low = 0x80;
      high = 0xbf;
    }
  }
  return true;
}

/** The text with every malformed sequence replaced by U+FFFD (WHATWG decoding), as UTF-8. */
export function repairUtf8(bytes: Uint8Array): Uint8Array {
  return ENCODER.encode(REPAIRING_DECODER.decode(bytes));
}
