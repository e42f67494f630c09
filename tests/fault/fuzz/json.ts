/** Breaks an ExportTraceServiceRequest in JSON: in its values, its members, or its text. */
import { STRANGE_TEXTS, mutateBytes, repeatMax } from "./bytes.ts";
import type { Dice } from "../dice.ts";

/** Stands in the tree for text that JSON.stringify would not write. */
const RAW = "raw:";
const RAW_TEXTS = [
  "1e400",
  "-0",
  "0x10",
  "NaN",
  "Infinity",
  "01",
  "1.",
  "99999999999999999999999999",
  "18446744073709551616",
  "-9223372036854775809",
  "1.7e18",
  "nul",
  "'single'",
  '"\\ud800"',
  '"\\x41"',
  '"line\nbreak"',
  "[1,]",
  '{"a":1,}',
  "/* comment */ 1",
  "[".repeat(50_000),
  '{"a":'.repeat(1000),
  `${"[".repeat(40)}${"]".repeat(40)}`,
];
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  7,
  2 ** 53,
  "",
  "7",
  "-7",
  "xyz",
  "0af7651916cd43dd8448eb211c80319c",
  "0AF7651916CD43DD8448EB211C80319C",
  "0af7651916cd43dd8448eb211c80319",
  "00000000000000000000000000000000",
  "b7ad6b7169203331",
  "18446744073709551615",
  "18446744073709551616",
  [],
  {},
  [null],
  [[]],
  { values: [] },
  { stringValue: "a", intValue: "1" },
  { intValue: "not a number" },
  { bytesValue: "not base64!" },
  { doubleValue: "NaN" },
  { kvlistValue: { values: [{}] } },
];

type Place = { readonly parent: Record<string, unknown> | unknown[]; readonly key: string | number };

/** One to three faults in a request that was well formed. */
export function mutateJson(dice: Dice, request: Uint8Array): Buffer {
  const bytes = Buffer.from(request);
  if (dice.chance(20)) return mutateBytes(dice, bytes);
  if (dice.chance(10)) return mutateText(dice, bytes.toString());
  const tree: unknown = JSON.parse(bytes.toString());
  for (let count = 1 + dice.below(3); count > 0; count -= 1) {
    const places = listPlaces(tree);
    if (places.length > 0) mutateOne(dice, dice.pick(places));
  }
  const text = JSON.stringify(tree).replaceAll(/"raw:(\d+)"/g, (_, index: string) => RAW_TEXTS[Number(index)] ?? "");
  return Buffer.from(text);
}

function mutateOne(dice: Dice, { parent, key }: Place): void {
  const set = (value: unknown): void => {
    Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true });
  };
  const value: unknown = Reflect.get(parent, key);
  switch (dice.below(6)) {
    case 0:
      Reflect.deleteProperty(parent, key);
      break;
    case 1:
      set(`${RAW}${dice.below(RAW_TEXTS.length)}`);
      break;
    case 2:
      set(dice.pick(STRANGE_TEXTS));
      break;
    case 3:
      set([value, value]);
      break;
    case 4:
      if (!Array.isArray(parent)) {
        const name = dice.pick(["__proto__", "trace_id", "TRACEID", "unknown", "attributes", "spans", "scopeSpans"]);
        Object.defineProperty(parent, name, { value, writable: true, enumerable: true, configurable: true });
        break;
      }
      parent.push(
        ...Array.from({ length: dice.pick([1, repeatMax(JSON.stringify(value).length)]) }, () => structuredClone(value)),
      );
      break;
    default:
      set(dice.pick(VALUES));
  }
}

function mutateText(dice: Dice, text: string): Buffer {
  switch (dice.below(7)) {
    case 0:
      return Buffer.from(`\ufeff${text}`);
    case 1:
      return Buffer.from(text, "utf16le");
    case 2:
      return Buffer.from(`${text}${text}`);
    case 3:
      return Buffer.from(dice.pick(RAW_TEXTS));
    case 4:
      return Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from([0xff, 0xc0, 0x80])]);
    case 5:
      return Buffer.from(text.replaceAll('"', "'"));
    default:
      return Buffer.from(`[${text}]`);
  }
}

function listPlaces(tree: unknown): Place[] {
  const places: Place[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const parent = Array.isArray(value) ? value : (value as Record<string, unknown>); // an object that JSON.parse made
    for (const key of Object.keys(value)) {
      places.push({ parent, key });
      visit(Reflect.get(value, key));
    }
  };
  visit({ root: tree });
  // The first place is the frame around the tree.
  return places.slice(1);
}
