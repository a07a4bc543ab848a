import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvError, KafkaEnv, loadEnv } from './env';

const NEEDED = { PORT: '3000', KAFKA_BROKERS: 'broker:9092' };

describe('an environment', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'baton-env-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const fileOf = (text: string): string => {
    const path = join(folder, 'secret');
    writeFileSync(path, text);
    return path;
  };
  const problemsOf = (source: NodeJS.ProcessEnv): readonly string[] => {
    try {
      loadEnv(KafkaEnv, source);
    } catch (error) {
      return (error as EnvError).problems;
    }
    return [];
  };

  it('takes a value from the file that NAME_FILE names, without the last line end', () => {
    expect(loadEnv(KafkaEnv, { PORT: '3000', KAFKA_BROKERS_FILE: fileOf('one:9092,two:9092\n') }).KAFKA_BROKERS).toBe('one:9092,two:9092');
  });

  it('prefers the file, so that a default elsewhere does not stand above a secret', () => {
    expect(loadEnv(KafkaEnv, { ...NEEDED, KAFKA_CA: 'default', KAFKA_CA_FILE: fileOf('-----BEGIN\nx\n-----END\n') }).KAFKA_CA).toBe(
      '-----BEGIN\nx\n-----END',
    );
  });

  it('checks what came from a file, without showing it', () => {
    expect(problemsOf({ PORT: '3000', KAFKA_BROKERS_FILE: fileOf('no-port') })).toEqual([
      'KAFKA_BROKERS is set, but KAFKA_BROKERS must be host:port[,host:port…]',
    ]);
  });

  it('names a file that cannot be read, beside every other problem', () => {
    const path = join(folder, 'nowhere');
    expect(problemsOf({ KAFKA_BROKERS_FILE: path })).toEqual([
      `KAFKA_BROKERS_FILE names ${path}, which cannot be read (ENOENT)`,
      'PORT is not set',
    ]);
  });

  it('reads no file for a variable that it does not know', () => {
    expect(problemsOf({ ...NEEDED, SSL_CERT_FILE: join(folder, 'nowhere') })).toEqual([]);
  });

  it('wants a name and a password where brokers ask who we are', () => {
    expect(problemsOf({ ...NEEDED, KAFKA_SASL: 'scram-sha-512', KAFKA_USERNAME: 'baton' })).toEqual(['KAFKA_PASSWORD is not set']);
    expect(problemsOf({ ...NEEDED, KAFKA_SASL: 'plain', KAFKA_USERNAME: 'baton', KAFKA_PASSWORD: 'x' })).toEqual([]);
    expect(problemsOf({ ...NEEDED, KAFKA_SASL: 'digest', KAFKA_USERNAME: 'baton', KAFKA_PASSWORD: 'x' })).toHaveLength(1);
    expect(problemsOf(NEEDED)).toEqual([]);
  });
});
