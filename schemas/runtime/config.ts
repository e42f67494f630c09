/**
 * Settings of a role: declared as a table, read once at the composition file, then passed on as one validated object. Flags win over
 * environment variables, which win over the YAML file (`--config`, CALLCHAIN_CONFIG). Every refusal names the key as the user wrote
 * it, the value given and what is accepted; all faults are reported at once.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { parse as parseYaml } from "yaml";
import { InvalidError, messageOf } from "../span/errors.ts";
import { Secret } from "./secret.ts";

export interface Setting<T> {
  /** Where it is not given. */
  readonly fallback: T;
  readonly help: string;
  /** What a value may be, for messages: "a whole number from 1 to 65535". */
  readonly accepted: string;
  /** Returns undefined where the text is not acceptable. */
  readonly parse: (text: string) => T | undefined;
  /** A flag that may stand without a value (`--demo`). */
  readonly isSwitch?: boolean;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A table of settings; the key is camelCase: `dataDir` is `--data-dir`, `CALLCHAIN_DATA_DIR` and `dataDir:` in YAML. */
export type Settings = Record<string, Setting<unknown>>;
export type ConfigOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

export interface ConfigSources {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export const setting = {
  text: (fallback: string, help: string): Setting<string> => ({ fallback, help, accepted: "a text", parse: (text) => text }),
  path: (fallback: string, help: string): Setting<string> => ({
    fallback: resolve(fallback),
    help,
    accepted: "a path",
    parse: (text) => (text === "" ? undefined : resolve(text)),
  }),
  wholeNumber: (fallback: number, min: number, max: number, help: string): Setting<number> => ({
    fallback,
    help,
    accepted: `a whole number from ${min} to ${max}`,
    parse: (text) => {
      const value = Number(text);
      return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined;
    },
  }),
  toggle: (fallback: boolean, help: string): Setting<boolean> => ({
    fallback,
    help,
    accepted: "true or false",
    isSwitch: true,
    parse: (text) => (text === "true" ? true : text === "false" ? false : undefined),
  }),
  /** Empty where it is not given. Better in the environment than in a flag, which every user of the machine can see. */
  secret: (help: string): Setting<Secret> => ({
    fallback: new Secret(""),
    help,
    accepted: "a text",
    parse: (text) => new Secret(text),
  }),
  oneOf: <T extends string>(values: readonly T[], fallback: T, help: string): Setting<T> => ({
    fallback,
    help,
    accepted: `one of ${values.join(", ")}`,
    parse: (text) => values.find((value) => value === text),
  }),
  bytes: (fallback: number, help: string): Setting<number> => ({
    fallback,
    help,
    accepted: "a size such as 512MiB or 2GiB",
    parse: parseBytes,
  }),
  address: (fallback: Address, help: string): Setting<Address> => ({
    fallback,
    help,
    accepted: "host:port, e.g. 127.0.0.1:4318 (port 0 takes a free one)",
    parse: parseAddress,
  }),
  list: (fallback: readonly string[], help: string): Setting<readonly string[]> => ({
    fallback,
    help,
    accepted: "a list separated by commas",
    parse: (text) =>
      text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== ""),
  }),
};

function parseBytes(text: string): number | undefined {
  const match = /^(\d+)\s*(B|KiB|MiB|GiB|TiB)?$/i.exec(text);
  if (match === null) return undefined;
  const power = ["b", "kib", "mib", "gib", "tib"].indexOf((match[2] ?? "b").toLowerCase());
  return Number(match[1]) * 1024 ** power;
}

function parseAddress(text: string): Address | undefined {
  const match = /^(\[[0-9a-f:]+\]|[^:\s]+):(\d+)$/i.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535) return undefined;
  return { host: match[1].replace(/^\[|\]$/g, ""), port };
}

export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function variableOf(key: string): string {
  return `CALLCHAIN_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Reads every setting of the table. Throws InvalidError listing all faults, unknown flags and unknown keys of the file included. */
export function readConfig<S extends Settings>(settings: S, sources: ConfigSources): ConfigOf<S> {
  const faults: string[] = [];
  const flags = readFlags(settings, sources.argv);
  const file = readFile(flags.get("config") ?? sources.env["CALLCHAIN_CONFIG"], settings, faults);
  const config: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(settings)) {
    const given =
      pick(flagOf(key), flags.get(key)) ??
      pick(variableOf(key), sources.env[variableOf(key)]) ??
      pick(`${key} in the file`, file.get(key));
    if (given === undefined) {
      config[key] = entry.fallback;
      continue;
    }
    const value = entry.parse(given.text);
    if (value === undefined) faults.push(`${given.source}: given ${JSON.stringify(given.text)}, accepted is ${entry.accepted}`);
    config[key] = value;
  }
  if (faults.length > 0) throw new InvalidError(faults.join("\n"));
  // Each key was parsed by its own setting.
  return config as ConfigOf<S>;
}

function pick(source: string, text: string | undefined): { source: string; text: string } | undefined {
  return text === undefined ? undefined : { source, text };
}

/** The words of a command line that are neither flags nor their values, apart from the rest; what follows `--` is of them. */
export function splitOperands(settings: Settings, argv: readonly string[]): { flags: string[]; operands: string[] } {
  const { tokens } = parseArgs({
    args: [...argv],
    options: optionsOf(settings),
    strict: false,
    allowNegative: true,
    allowPositionals: true,
    tokens: true,
  });
  const apart = new Set(tokens.filter(({ kind }) => kind !== "option").map(({ index }) => index));
  return {
    flags: argv.filter((_, at) => !apart.has(at)),
    operands: tokens.flatMap((token) => (token.kind === "positional" ? [token.value] : [])),
  };
}

function optionsOf(settings: Settings): Record<string, { type: "string" | "boolean" }> {
  const options: Record<string, { type: "string" | "boolean" }> = { config: { type: "string" } };
  for (const [key, entry] of Object.entries(settings)) {
    options[flagOf(key).slice(2)] = { type: entry.isSwitch === true ? "boolean" : "string" };
  }
  return options;
}

function readFlags(settings: Settings, argv: readonly string[]): Map<string, string> {
  const options = optionsOf(settings);
  let values: Record<string, unknown>;
  try {
    ({ values } = parseArgs({ args: [...argv], options, strict: true, allowNegative: true, allowPositionals: false }));
  } catch (error) {
    throw new InvalidError(
      `${messageOf(error)}\naccepted flags: ${Object.keys(options)
        .map((name) => `--${name}`)
        .join(" ")}`,
    );
  }
  const flags = new Map<string, string>();
  for (const key of ["config", ...Object.keys(settings)]) {
    const value = values[flagOf(key).slice(2)];
    if (typeof value === "string" || typeof value === "boolean") flags.set(key, String(value));
  }
  return flags;
}

function readFile(path: string | undefined, settings: Settings, faults: string[]): Map<string, string> {
  const file = new Map<string, string>();
  if (path === undefined) return file;
  let document: unknown;
  try {
    document = parseYaml(readFileSync(path, "utf8"));
  } catch (error) {
    faults.push(`--config ${path}: ${messageOf(error)}`);
    return file;
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    faults.push(`--config ${path}: expected a map of settings`);
    return file;
  }
  for (const [key, value] of Object.entries(document)) {
    if (key in settings) file.set(key, Array.isArray(value) ? value.join(",") : String(value));
    else faults.push(`${key} in ${path}: unknown; accepted keys: ${Object.keys(settings).join(", ")}`);
  }
  return file;
}

/** One line per setting, for `--help` and the README. */
export function describeSettings(settings: Settings): string {
  const rows = Object.entries(settings).map(([key, entry]) => [flagOf(key), variableOf(key), entry.help] as const);
  const flagWidth = Math.max(...rows.map(([flag]) => flag.length));
  const variableWidth = Math.max(...rows.map(([, variable]) => variable.length));
  return rows
    .map(([flag, variable, help]) => `  ${flag.padEnd(flagWidth)}  ${variable.padEnd(variableWidth)}  ${help}`)
    .join("\n");
}
