/** A file whose content has to be the same after whatever a case does to the pool below it. */
import assert from "node:assert/strict";
import { mountPoint, mustRun, sha256 } from "./support";

export class KeptFile {
  #hash = "";

  constructor(
    private readonly pool: string,
    private readonly filesystem: string,
  ) {}

  async #path(): Promise<string> {
    return `${await mountPoint(this.filesystem)}/kept`;
  }

  /** Mounts the filesystem; returns where. */
  async mount(): Promise<string> {
    const at = await mountPoint(this.filesystem);
    await mustRun("mount", [`/dev/stratis/${this.pool}/${this.filesystem}`, at]);
    return at;
  }

  /** Mounts the filesystem, and writes so many MiB of random bytes through to the disk; returns where it is mounted. */
  async write(mebibytes: number): Promise<string> {
    const at = await this.mount();
    const options = ["bs=1M", `count=${mebibytes}`, "conv=fsync", "status=none"];
    await mustRun("dd", ["if=/dev/urandom", `of=${await this.#path()}`, ...options]);
    this.#hash = await sha256(await this.#path());
    return at;
  }

  /** The filesystem must be mounted. */
  async compare(): Promise<void> {
    assert.equal(await sha256(await this.#path()), this.#hash);
  }

  async mountAndCompare(): Promise<void> {
    await this.mount();
    await this.compare();
  }
}
