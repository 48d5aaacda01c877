/** Steps: what an administrator is told of. Programs that are called for alerts, and metrics. */
import assert from "node:assert/strict";
import { openMetricsSamples } from "../../../../support/openmetrics";
import { GIB } from "../../../harness/guest";
import { AS_NOBODY, DEVICE, machine, sh, until, uuidOf } from "../../../harness/user-machine";
import { step } from "./step";

const TOLD = "/run/told";
/** Writes down what it is told, in one piece. */
const NOTE = `#!/bin/sh
file=${TOLD}/$STRATIS_ALERT.$STRATIS_POOL_NAME.$STRATIS_ALERT_STATE
env | grep ^STRATIS_ | sort > "$file.part" && mv "$file.part" "$file"
`;
/** Asks the daemon that calls it. */
const ANSWER = `${TOLD}/answer`;
const ASK = `#!/bin/sh
stratis pool list > ${ANSWER}.part 2>&1; mv ${ANSWER}.part ${ANSWER}
`;
const TOLD_SECONDS = 180;
const PROM = "/var/lib/prometheus/node-exporter/stratis.prom";

/** The facts of an alert, when it has been told of. */
async function told(alert: string, pool: string, state: "begin" | "end"): Promise<Map<string, string>> {
  const file = `${TOLD}/${alert}.${pool}.${state}`;
  await until(`[ -e ${file} ]`, TOLD_SECONDS);
  const lines = (await sh(`cat ${file}`)).trim().split("\n");
  const facts = new Map(lines.map((line) => [line.replace(/=.*/, ""), line.replace(/^[^=]*=/, "")]));
  assert.equal(facts.get("STRATIS_ALERT"), alert);
  assert.equal(facts.get("STRATIS_ALERT_STATE"), state);
  assert.equal(facts.get("STRATIS_POOL_NAME"), pool);
  return facts;
}

const sampleOf = async (name: string, pool: string): Promise<string | undefined> => {
  const labels = `{pool="${pool}",pool_uuid="${await uuidOf(pool)}"}`;
  return openMetricsSamples(await sh("stratis metrics")).get(`${name}${labels}`);
};

async function setUpPrograms(): Promise<void> {
  await sh(`mkdir -p /etc/stratis/alerts.d ${TOLD}`);
  await machine().mustExec("cat > /etc/stratis/alerts.d/note && chmod 755 /etc/stratis/alerts.d/note", {
    input: NOTE,
  });
  await sh("cd /etc/stratis/alerts.d && cp note unsafe && chmod 777 unsafe");
}

export function monitoringSteps(): void {
  step(
    "a pool that fills up is an alert, for which programs are called, and so is that it has space again",
    async () => {
      await setUpPrograms();
      await machine().plug({ serial: "small", sizeBytes: 3 * GIB });
      await machine().plug({ serial: "more", sizeBytes: 12 * GIB });
      await sh(`stratis pool create fills ${DEVICE}-small && stratis filesystem create --size 4GiB fills fs`);
      await sh("mount /dev/stratis/fills/fs /mnt");
      // It may end in an error or, when space comes in time, not: writes wait a minute for it.
      await sh(
        "setsid dd if=/dev/zero of=/mnt/fill bs=1M count=3500 oflag=direct > /root/dd.log 2>&1 < /dev/null &",
      );
      const nearly = await told("pool-nearly-full", "fills", "begin");
      assert.equal(nearly.get("STRATIS_POOL_UUID"), await uuidOf("fills"));
      const used = Number(nearly.get("STRATIS_POOL_USED_BYTES"));
      const size = Number(nearly.get("STRATIS_POOL_SIZE_BYTES"));
      assert.ok(size === 3 * GIB && used >= 0.9 * size && used <= size, `${used} of ${size}`);
      assert.ok(Number(nearly.get("STRATIS_POOL_ALLOCATED_BYTES")) >= used);
      assert.equal(nearly.get("STRATIS_POOL_AVAILABLE_ACTIONS"), "fully_operational");
      await told("pool-full", "fills", "begin");
      assert.equal(await sampleOf("stratis_pool_out_of_space", "fills"), "1");
      await sh(`stratis pool add-data fills ${DEVICE}-more`);
      await told("pool-full", "fills", "end");
      await told("pool-nearly-full", "fills", "end");
      assert.equal(await sampleOf("stratis_pool_out_of_space", "fills"), "0");
      assert.match(
        await sh("journalctl -u stratisd -o cat"),
        /Not called for an alert: .*unsafe: .* can be written by others/,
      );
      await until("! pgrep -x dd > /dev/null", TOLD_SECONDS);
      await sh("umount /mnt && stratis filesystem destroy fills fs && stratis pool destroy fills");
    },
  );

  step("at a start programs are called once the daemon answers, which they may ask", async () => {
    await machine().mustExec("cat > /etc/stratis/alerts.d/ask && chmod 755 /etc/stratis/alerts.d/ask", {
      input: ASK,
    });
    await machine().plug({ serial: "near", sizeBytes: 3 * GIB });
    await sh(`stratis pool create near ${DEVICE}-near && stratis filesystem create --size 4GiB near fs`);
    await sh("mount /dev/stratis/near/fs /mnt");
    await sh("dd if=/dev/zero of=/mnt/fill bs=1M count=2150 oflag=direct");
    await told("pool-nearly-full", "near", "begin");
    await sh(`rm -f ${ANSWER} && systemctl restart stratisd`);
    await until(`[ -s ${ANSWER} ]`, TOLD_SECONDS);
    assert.match(await sh(`cat ${ANSWER}`), /^near /m);
    await sh("umount /mnt && stratis filesystem destroy near fs && stratis pool destroy near");
    await sh("rm /etc/stratis/alerts.d/ask");
  });

  step("a device that is pulled is an alert, and so is the pool that fails for it", async () => {
    await machine().plug({ serial: "pulled", sizeBytes: 12 * GIB });
    await sh(`stratis pool create pulled ${DEVICE}-pulled && stratis filesystem create pulled fs`);
    await sh("mount /dev/stratis/pulled/fs /mnt && touch /mnt/a && sync -f /mnt");
    await machine().unplug("pulled");
    const gone = await told("device-gone", "pulled", "begin");
    assert.match(gone.get("STRATIS_DEVICE") ?? "", /^\/dev\//);
    assert.match(gone.get("STRATIS_DEVICE_UUID") ?? "", /^[0-9a-f-]{36}$/);
    assert.equal(gone.get("STRATIS_DEVICE_TIER"), "data");
    // New blocks need the thin pool's metadata, which can't be written any more.
    const written = await machine().exec(
      "dd if=/dev/zero of=/mnt/b bs=1M count=8 oflag=direct; sync -f /mnt",
    );
    assert.match(written.stderr, /Input\/output error/);
    const failure = await told("pool-failed", "pulled", "begin");
    assert.match(failure.get("STRATIS_POOL_AVAILABLE_ACTIONS") ?? "", /^no_(ipc_requests|pool_changes)$/);
    await sh(`umount /mnt; stratis pool stop --name=pulled; rm -r /etc/stratis ${TOLD}`);
  });

  step("metrics are OpenMetrics text, and a timer writes them for node_exporter", async () => {
    const nobody = openMetricsSamples(await sh(`${AS_NOBODY} stratis metrics`));
    assert.equal(nobody.get("stratis_daemon_up"), "1");
    assert.ok(Number(nobody.get('stratis_events_total{source="udev"}')) > 0);
    assert.ok(Number(nobody.get('stratis_events_total{source="devicemapper"}')) > 0);
    assert.ok(Number(nobody.get("stratis_daemon_memory_bytes")) > 1e7);
    assert.equal(
      (await machine().exec("systemctl is-enabled stratis-metrics.timer")).stdout.trim(),
      "disabled",
    );
    // Without the collector's directory nothing is written.
    await sh("systemctl start stratis-metrics.service && [ ! -e /var/lib/prometheus ]");
    await sh("mkdir -p /var/lib/prometheus/node-exporter && systemctl enable --now stratis-metrics.timer");
    await until(`[ -e ${PROM} ]`, TOLD_SECONDS);
    const first = (await sh(`stat -c %i ${PROM}`)).trim();
    await until(`[ $(stat -c %i ${PROM}) != ${first} ]`, TOLD_SECONDS);
    assert.equal((await sh(`stat -c %a ${PROM}`)).trim(), "644");
    const written = openMetricsSamples(await sh(`cat ${PROM}`));
    assert.deepEqual([...written.keys()], [...openMetricsSamples(await sh("stratis metrics")).keys()]);
    await sh("systemctl stop stratisd && systemctl start stratis-metrics.service; systemctl start stratisd");
    assert.deepEqual(Object.fromEntries(openMetricsSamples(await sh(`cat ${PROM}`))), {
      stratis_daemon_up: "0",
    });
    await sh(
      "systemctl disable --now stratis-metrics.timer && systemctl reset-failed && rm -r /var/lib/prometheus",
    );
  });
}
