import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { allContracts, encode, emit, eventDocs, schemaFile, specOf, TOPIC_SPECS } from './index';

const FOLDER = join(__dirname, '..', '..', '..', 'docs', 'events');
const WRITE = 'npm run baton -- events write';
const docs = eventDocs();
const onDisk = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const jsonOf = (name: string): Record<string, unknown> => JSON.parse(onDisk(name)) as Record<string, unknown>;
const published = allContracts().filter((contract) => specOf(contract.topic).isPublic);

describe('docs/events', () => {
  test('has exactly the files that the contracts make', () => {
    const names = readdirSync(FOLDER).sort();
    if (names.join() !== [...docs.keys()].sort().join())
      throw new Error(`docs/events has ${names.join(', ')}, and should have ${[...docs.keys()].sort().join(', ')}. Run: ${WRITE}`);
  });

  test.each([...docs.keys()])('%s says what the contracts say, byte for byte', (name) => {
    if (onDisk(name) !== docs.get(name)) throw new Error(`docs/events/${name} is out of date. Run: ${WRITE}`);
  });

  test.each(published.map((contract) => [contract.ceType, contract] as const))(
    '%s: the sample on disk is valid by the schema on disk',
    (ceType, contract) => {
      const schema = jsonOf(schemaFile(contract));
      const accepts = addFormats.default(new Ajv2020({ strict: true })).compile(schema);
      expect(accepts(jsonOf(`${ceType}.sample.json`)) || accepts.errors).toBe(true);
      expect(accepts({})).toBe(false);
      // What a message names in ce_dataschema is the schema's own id.
      expect(schema['$id']).toBe(encode(emit(contract, contract.sample)).headers['ce_dataschema']);
    },
  );

  test('every link leads to a file that is there', () => {
    const pages = [...docs].filter(([name]) => name.endsWith('.md'));
    const dead = pages.flatMap(([name, text]) =>
      [...text.matchAll(/\]\(([^)]+)\)/g)]
        .map((match) => match[1] as string)
        .filter((target) => !docs.has(target))
        .map((target) => `${name}: ${target}`),
    );
    expect(dead).toEqual([]);
    expect(pages.length).toBe(TOPIC_SPECS.filter((spec) => spec.isPublic).length + 2);
  });
});

describe('asyncapi.json', () => {
  const api = jsonOf('asyncapi.json') as unknown as AsyncApi;

  test('is AsyncAPI 3.0 with a channel and a receiver for every public topic', () => {
    expect(api).toMatchObject({ asyncapi: '3.0.0', info: { title: 'Baton events', version: '1' } });
    expect(Object.values(api.channels).map((channel) => channel.address)).toEqual(
      TOPIC_SPECS.filter((spec) => spec.isPublic).map((spec) => spec.topic),
    );
    expect(Object.values(api.operations)).toEqual(
      Object.keys(api.channels).map((name) => ({ action: 'receive', channel: { $ref: `#/channels/${name}` } })),
    );
  });

  test('names every public event in the channel of its topic, and nothing else', () => {
    for (const channel of Object.values(api.channels)) {
      expect(Object.keys(channel.messages)).toEqual(
        published.filter((contract) => contract.topic === channel.address).map((contract) => contract.ceType),
      );
    }
    expect(Object.keys(api.components.messages).sort()).toEqual(published.map((contract) => contract.ceType).sort());
  });

  test('every reference leads somewhere', () => {
    const refs = [...JSON.stringify(api).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] as string);
    const dead = refs.filter((ref) => (ref.startsWith('./') ? !docs.has(ref.slice(2)) : resolve(api, ref) === undefined));
    expect(dead).toEqual([]);
    expect(refs.length).toBeGreaterThan(published.length);
  });

  test('names are of the characters that the specification allows for keys', () => {
    const names = [api.channels, api.operations, api.components.messages].flatMap((part) => Object.keys(part));
    expect(names.filter((name) => !/^[A-Za-z0-9._-]+$/.test(name))).toEqual([]);
  });
});

interface AsyncApi {
  readonly channels: Record<string, { address: string; messages: Record<string, unknown> }>;
  readonly operations: Record<string, unknown>;
  readonly components: { messages: Record<string, unknown> };
}

const resolve = (document: object, ref: string): unknown =>
  ref
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document);
