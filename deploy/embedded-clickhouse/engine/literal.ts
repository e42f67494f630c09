/** SQL literals made of outside bytes: every byte that is not a plain letter, digit or one of `_-.,:/` becomes `\xHH`, so none can end a literal. */

const PLAIN = /^[\w\-.,:/]*$/;

/** A string literal with exactly these UTF-8 bytes. */
export function stringLiteral(value: string | Uint8Array): string {
  if (typeof value === "string" && PLAIN.test(value)) return `'${value}'`;
  return `'${escapeBytes(value)}'`;
}

/** A quoted identifier. */
export function identifier(name: string): string {
  return `\`${escapeBytes(name)}\``;
}

function escapeBytes(value: string | Uint8Array): string {
  let text = "";
  for (const byte of Buffer.from(value)) {
    const char = String.fromCharCode(byte);
    text += byte < 0x80 && PLAIN.test(char) ? char : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}
