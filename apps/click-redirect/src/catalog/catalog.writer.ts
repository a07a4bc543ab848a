import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TOPICS } from '@baton/contracts';
import { type KafkaConnection, type Log, type Part, TopicFollower } from '@baton/platform';
export class CatalogFollower implements Part {
  readonly name = 'catalog';
  private readonly follower: TopicFollower;
  constructor({ kafka, folder, log, onChange }: { kafka: KafkaConnection; folder: string; log: Log; onChange: () => void }) {
    mkdirSync(folder, { recursive: true });
    rmSync(join(folder, 'e'), { force: true });
    this.follower = new TopicFollower({
      kafka,
      topic: TOPICS.catalog,
      group: 'click-redirect',
      log,
      onDead: () => undefined,
      apply: (events) => {
        appendFileSync(join(folder, 'e'), events.map((e) => JSON.stringify([e.contract.ceType, e.data]) + '\n').join(''));
        onChange();
      },
    });
  }
  start() {
    return this.follower.start();
  }
  stop() {
    return this.follower.stop();
  }
  stalenessMs() {
    return this.follower.stalenessMs();
  }
}
