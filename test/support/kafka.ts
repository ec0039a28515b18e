/** One Kafka broker for a test file: on a free port, in a temporary folder, always stopped. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafka, startKafka } from '../../infra/services/kafka.ts';
import { kill, stop, type Started } from '../../infra/services/service.ts';

/** The sentence that says why no broker can run here; undefined when one can. */
export const kafkaMissing: string | undefined = kafka.missing();

export class TestBroker {
  #started: Started;
  #running = true;

  private constructor(started: Started) {
    this.#started = started;
  }

  static async start(): Promise<TestBroker> {
    const folder = mkdtempSync(join(tmpdir(), 'edgetape-kafka-test-'));
    return new TestBroker(await startKafka({ dataDir: folder, temporary: true }));
  }

  get address(): string {
    return this.#started.address;
  }

  get pid(): number {
    return this.#started.pid;
  }

  /** Ends the broker with SIGKILL; its data and its port stay. */
  async kill(): Promise<void> {
    this.#running = false;
    await kill(this.#started);
  }

  /** Starts it again on the same port and data. */
  async restart(): Promise<void> {
    if (this.#running) await this.kill();
    this.#started = await startKafka({ dataDir: this.#started.dataDir, temporary: true, port: this.#started.port });
    this.#running = true;
  }

  async stop(): Promise<void> {
    await stop(this.#started);
  }
}
