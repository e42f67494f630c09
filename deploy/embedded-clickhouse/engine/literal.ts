/**
 * SQL literals made of outside text: every ASCII character that is not a letter, a digit or one of ` _-.,:/=[](){}` becomes `\xHH`, so
 * none can end a literal.
 */

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const SPECIAL = /[\x00-\x1f!"#$%&'*+;<>?@\\^`|~\x7f]/g;

/** A string literal with exactly these UTF-8 bytes. */
export function stringLiteral(value: string): string {
  return `'${escapeBytes(value)}'`;
}

/** A quoted identifier. */
export function identifier(name: string): string {
  return `\`${escapeBytes(name)}\``;
}

function escapeBytes(value: string): string {
  return value.replace(SPECIAL, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
