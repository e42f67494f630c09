/** A broker that wants TLS and a password. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openKafkaAppender } from "@callchain/collector/log/kafka/kafka-appender.ts";
import { openKafkaReader } from "@callchain/collector/log/kafka/kafka-reader.ts";
import { Secret } from "@callchain/schemas/runtime/secret.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { kafkaMissing, startKafkaBroker } from "../support/kafka-broker.ts";

const logger = openLog("test", "silent");
const LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required";

test(
  "TLS and SASL: with the right password spans go in and out, with a wrong one not",
  { timeout: 180_000, skip: kafkaMissing() },
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "callchain-tls-"));
    const [key, cert, both] = [join(dir, "key.pem"), join(dir, "cert.pem"), join(dir, "both.pem")];
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert, ...subject],
      {
        stdio: "ignore",
      },
    );
    await writeFile(both, `${await readFile(key, "utf8")}${await readFile(cert, "utf8")}`);
    const broker = await startKafkaBroker(
      {
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": both,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": cert,
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": `${LOGIN} username="callchain" password="tulip" user_callchain="tulip";`,
      },
      {
        "kafka-tls": "",
        "kafka-tls-ca-file": cert,
        "kafka-sasl": "PLAIN",
        "kafka-sasl-user": "callchain",
        "kafka-sasl-password": "tulip",
      },
    );
    try {
      const config = await broker.freshTopic(1);
      const appender = await openKafkaAppender({ config, logger, metrics: new Registry() });
      await appender.append(Buffer.from("span"));
      await appender.stop();
      const reader = await openKafkaReader({ config, logger, metrics: new Registry() });
      const end = new AbortController();
      const values: string[] = [];
      await reader.consume(
        {
          assign: async () => 0n,
          deliver: async (_partition, records) => {
            for (const { value } of records) values.push(Buffer.from(value).toString());
            end.abort();
          },
          idle: () => undefined,
          revoke: async () => undefined,
        },
        end.signal,
      );
      await reader.stop();
      assert.deepEqual(values, ["span"]);
      const wrong = { ...config, kafkaSaslPassword: new Secret("rose") };
      const refused = await openKafkaAppender({ config: wrong, logger, metrics: new Registry() });
      await assert.rejects(refused.append(Buffer.from("span")), (error: Error) => {
        assert.match(error.message, /authentication/i);
        assert.doesNotMatch(error.message, /rose/);
        return true;
      });
      await refused.stop();
    } finally {
      await broker.stop();
      await rm(dir, { recursive: true, force: true });
    }
  },
);
