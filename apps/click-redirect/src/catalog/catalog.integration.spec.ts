import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emit, encode, LinkChanged, type LinkData, PartnerChanged, ProgramChanged, TOPICS } from '@baton/contracts';
import { BoundedProducer, connectKafka, plannedTopics, withAdmin } from '@baton/platform';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { folderOfItsOwn, log, NOW, outcome, SPRING, TENANT } from '../specs/catalog.fixture';
import { type CatalogReader, openCatalogReader } from './catalog.reader';
import { CatalogFollower, type CatalogWriterOptions } from './catalog.writer';
import { currentGeneration, generationFolder, generationsIn } from './generations';

const prefix = ownPrefix();
const kafka = connectKafka({ brokers: stores().kafkaBrokers, clientId: 'test', prefix, log });
const nowhere = connectKafka({ brokers: ['127.0.0.1:1'], clientId: 'test', prefix, log });
const producer = new BoundedProducer({ kafka });
const topic = plannedTopics(prefix).filter(({ topic: name }) => name === prefix + TOPICS.catalog)[0]!;
const running: { stop(): Promise<void> }[] = [];
const folders: string[] = [];

const createTopic = () =>
  withAdmin(kafka, (admin) => admin.createTopics({ waitForLeaders: true, topics: [{ topic: topic.topic, numPartitions: 1 }] }));
const deleteTopic = () => withAdmin(kafka, (admin) => admin.deleteTopics({ topics: [topic.topic] }));
const publish = (message: { key: string; value: string | null }) => producer.send([{ topic: TOPICS.catalog, ...message }] as never);
const link = (change: Partial<LinkData> = {}) => encode(emit(LinkChanged, { ...LinkChanged.sample, ...change }));
const id = (number: number) => `44444444-4444-4444-8444-${String(number).padStart(12, '0')}`;
const other = (number: number, change: Partial<LinkData> = {}) => link({ id: id(number), number, slug: `slug-${number}`, ...change });

beforeEach(async () => {
  await createTopic();
  await publish(encode(emit(ProgramChanged, ProgramChanged.sample)));
  await publish(encode(emit(PartnerChanged, PartnerChanged.sample)));
  await publish(link());
}, 30_000);
afterEach(async () => {
  for (const part of running.splice(0)) await part.stop();
  await deleteTopic();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
}, 30_000);
afterAll(() => producer.close());

/** A writer and a reader on one folder, as a process has them. */
async function start({ folder = newFolder(), ...options }: Partial<CatalogWriterOptions> = {}) {
  const reader = await openCatalogReader(folder, log);
  const writer = new CatalogFollower({ kafka, folder, log, onChange: () => reader.refresh(), ...options });
  await writer.start();
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    await writer.stop();
    await reader.close();
  };
  running.push({ stop });
  return { folder, reader, writer, stop };
}
function newFolder(): string {
  const folder = folderOfItsOwn();
  folders.push(folder);
  return folder;
}
const loaded = (reader: CatalogReader) => eventually(() => expect([reader.isLoaded, outcome(reader)]).toEqual([true, SPRING]), 20_000);
const position = (folder: string) => generationFolder(folder, currentGeneration(folder)!);

describe('the catalog follows its topic', () => {
  it('serves nobody before all was read once, then everybody, and obeys what changes', async () => {
    const { reader, writer } = await start();
    expect([reader.isLoaded, writer.unready(), writer.stalenessMs()]).toEqual([false, 'the catalog has not been read whole yet', Infinity]);
    await loaded(reader);
    expect([writer.unready(), reader.linkCount, writer.stalenessMs() < 5_000]).toEqual([undefined, 1, true]);
    await publish(link({ version: 2, state: 'disabled', catalogVersion: 7 }));
    await eventually(() => expect([outcome(reader), reader.version]).toEqual(['link_disabled', 7]));
    await publish({ key: `${TENANT}:link:${LinkChanged.sample.id}`, value: null });
    await eventually(() => expect([outcome(reader), reader.linkCount]).toEqual(['unknown', 0]));
  }, 40_000);

  it('knows every link again after a start without Kafka, and goes on where it was', async () => {
    const first = await start();
    await loaded(first.reader);
    await first.stop();
    const { folder } = first;
    const alone = await start({ folder, kafka: nowhere });
    expect([alone.reader.isLoaded, outcome(alone.reader), alone.writer.stalenessMs()]).toEqual([true, SPRING, Infinity]);
    await alone.stop();
    // What it has is not read again: the topic's beginning could be anything by now.
    await publish(other(2));
    const again = await start({ folder });
    await eventually(() => expect(outcome(again.reader, 'slug-2')).toBe(SPRING), 20_000);
    expect([generationsIn(folder), outcome(again.reader)]).toEqual([[1], SPRING]);
  }, 60_000);

  it('is read anew beside itself when it was out of touch for longer than tombstones are kept, and serves meanwhile', async () => {
    const first = await start();
    await loaded(first.reader);
    await first.stop();
    const { folder } = first;
    // As the topic is when a tombstone has come and gone: nothing tells of the link any more.
    await deleteTopic();
    await createTopic();
    await publish(encode(emit(ProgramChanged, ProgramChanged.sample)));
    await publish(encode(emit(PartnerChanged, PartnerChanged.sample)));
    await publish(other(2));
    await publish(other(3));
    const soon = await start({ folder, kafka: nowhere, now: () => Date.now() + 3 * 86_400_000 });
    expect(generationsIn(folder)).toEqual([1]);
    await soon.stop();
    const late = await start({ folder, kafka: nowhere, now: () => Date.now() + 4 * 86_400_000 });
    expect([generationsIn(folder), outcome(late.reader)]).toEqual([[1, 2], SPRING]);
    await late.stop();
    const { reader } = await start({ folder });
    expect(outcome(reader)).toBe(SPRING);
    await eventually(() => expect([outcome(reader), outcome(reader, 'slug-3'), reader.linkCount]).toEqual(['unknown', SPRING, 2]), 20_000);
    await eventually(() => expect([generationsIn(folder), currentGeneration(folder)]).toEqual([[2], 2]), 20_000);
  }, 90_000);

  it('is read anew when the topic was made anew, also while it runs', async () => {
    const first = await start();
    for (let number = 2; number < 6; number++) await publish(other(number));
    await eventually(() => expect(first.reader.linkCount).toBe(5), 20_000);
    await deleteTopic();
    await createTopic();
    await publish(other(9));
    await eventually(() => expect([first.reader.linkCount, first.reader.find('slug-9', NOW)?.link.number]).toEqual([1, 9]), 40_000);
    expect(currentGeneration(first.folder)).toBe(2);
  }, 90_000);

  it.each([
    ['garbage', (file: string) => writeFileSync(file, Buffer.alloc(65_536, 'x'))],
    ['a file that was cut', (file: string) => truncateSync(file, 8_192)],
    ['nothing', (file: string) => rmSync(file)],
  ])(
    'moves %s aside and reads the catalog anew, answering nobody meanwhile',
    async (_, damage) => {
      const first = await start();
      await loaded(first.reader);
      await first.stop();
      damage(join(position(first.folder), 'data.mdb'));
      const alone = await start({ folder: first.folder, kafka: nowhere });
      expect([alone.reader.isLoaded, alone.reader.find('garden-spring', NOW)]).toEqual([false, undefined]);
      await alone.stop();
      const { reader } = await start({ folder: first.folder });
      expect(reader.isLoaded).toBe(false);
      await loaded(reader);
    },
    60_000,
  );
});
