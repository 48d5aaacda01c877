/** Whose work is in the bundles, and under which licence: what has to accompany them, in Debian's form (DEP 5). */
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";

/** A package of node_modules. */
interface Part {
  /** Relative to the root: "node_modules/winston". */
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly licenceText: string;
  readonly holders: readonly string[];
}

/** Headers of it are compiled into the addon. */
const IN_THE_ADDON = "node_modules/node-addon-api";
const LICENCE_FILE = /^(licen[cs]e|copying)(\.(md|txt))?$/i;
const HOLDER = /^\s*(?:copyright\b|\(c\))\s*(?:\(c\)|©)?\s*(.*\S)/i;

/** "node_modules/a/node_modules/@b/c" of a file in there; null for a file of our own. */
export function folderOf(file: string): string | null {
  const [folder] = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file) ?? [];
  return folder ?? null;
}

/** The names in the lines of a licence that begin with "Copyright". */
export function holdersIn(licenceText: string): string[] {
  return licenceText.split("\n").flatMap((line) => HOLDER.exec(line)?.[1] ?? []);
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: unknown;
}

/** Throws for a package that does not say under which licence it is. */
function readPart(root: string, folder: string): Part {
  const directory = path.join(root, folder);
  const manifest = JSON.parse(readFileSync(path.join(directory, "package.json"), "utf8")) as Manifest;
  const file = readdirSync(directory).find((name) => LICENCE_FILE.test(name));
  if (typeof manifest.license !== "string" || file === undefined)
    throw new Error(`${directory} is in a bundle, but has no licence in package.json or no file of it`);
  const licenceText = readFileSync(path.join(directory, file), "utf8").replaceAll("\r\n", "\n").trim();
  const holders = holdersIn(licenceText);
  return {
    folder,
    name: manifest.name,
    version: manifest.version,
    licence: manifest.license,
    licenceText,
    holders: holders.length > 0 ? holders : [`the authors of ${manifest.name}`],
  };
}

/** Lines of a field: indented, and a dot where a line is empty. */
const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => ` ${line.trim() === "" ? "." : line.trimEnd()}`)
    .join("\n");

// The name makes the licence's short name unique: the texts differ in the names of the holders.
const paragraph = ({ folder, name, version, licence, licenceText, holders }: Part): string =>
  `Files: ${folder}/*
Copyright:
${indented(holders.join("\n"))}
License: ${licence}-${name.replace("@", "").replace("/", "-")}
${indented(licenceText)}
Comment: ${name} ${version}, in bundles below dist/bin or in the addon.
`;

/**
 * The file "copyright": `ours`, then a paragraph for each package that one of the files belongs to, which are relative
 * to `root`.
 */
export function copyrightText(root: string, ours: string, files: readonly string[]): string {
  const folders = new Set([...files.flatMap((file) => folderOf(file) ?? []), IN_THE_ADDON]);
  const parts = [...folders].sort().map((folder) => readPart(root, folder));
  return `${ours.trimEnd()}\n\n${parts.map(paragraph).join("\n")}`;
}
