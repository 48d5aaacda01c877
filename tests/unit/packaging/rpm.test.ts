/** The RPM: that its spec file makes one of a built tree, with the files of the Debian package. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { after, test } from "node:test";
import { packageRoot } from "../../../src/native";
import { buildPackage, contents, output, temporary } from "./support";

const RPMBUILD = "/usr/bin/rpmbuild";
const [folder, remove] = temporary();
after(remove);

/** What systemd-rpm-macros defines, which not every machine with rpmbuild has. */
const SYSTEMD_MACROS = [
  "_unitdir /usr/lib/systemd/system",
  "systemd_post() %{nil}",
  "systemd_preun() %{nil}",
  "systemd_postun_with_restart() %{nil}",
];

function buildRpm(): string {
  const spec = path.join(folder, "stratis-node.spec");
  // The tree is built already.
  const text = readFileSync(path.join(packageRoot, "packaging/stratis-node.spec"), "utf8");
  writeFileSync(spec, text.replace(/^%build\n(?:.+\n)+/m, "%build\n"));
  const defined = [`_topdir ${folder}/rpm`, "_build_id_links none", ...SYSTEMD_MACROS];
  const definitions = defined.flatMap((definition) => ["--define", definition]);
  output(RPMBUILD, ["-bb", "--build-in-place", "--nodeps", ...definitions, spec]);
  const made = readdirSync(path.join(folder, "rpm/RPMS"), { recursive: true, encoding: "utf8" });
  const [file, ...more] = made.filter((name) => name.endsWith(".rpm"));
  assert.ok(file !== undefined && more.length === 0, made.join(" "));
  return path.join(folder, "rpm/RPMS", file);
}

/** What is the same in both, without what packages of the two kinds have in places and forms of their own. */
const common = (files: readonly string[]): string[] =>
  files
    .filter((file) => !/lintian|changelog\.Debian/.test(file))
    .map((file) => file.replace("zsh/vendor-completions", "zsh/site-functions").replace(/(\.8)\.gz$/, "$1"))
    .sort();

if (existsSync(RPMBUILD))
  test("an RPM is built, and has the files of the Debian package with the same modes", () => {
    const rpm = output("rpm", ["-qp", "--qf", "[%{FILEMODES:perms} %{FILENAMES}\\n]", buildRpm()]);
    const inDeb = [...contents(buildPackage(folder))].map(([name, { mode }]) => `${mode} ${name}`);
    const files = (lines: readonly string[]): string[] =>
      common(lines.filter((line) => !line.startsWith("d")));
    assert.deepEqual(files(rpm.trim().replaceAll(" /", " ").split("\n")), files(inDeb));
  });
