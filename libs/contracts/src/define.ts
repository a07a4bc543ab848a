import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { type JsonSchema, schemaOf } from './fields';
import { InvalidEvent } from './invalid-event';
import { parseJsonObject } from './json';
import { isSurely } from './surely';
import type { Topic } from './topics';

/** Every event says whose it is. */
export interface TenantData {
  tenantId: string;
}

export interface EventDeclaration<T extends TenantData> {
  /** Past tense, dotted: `click.recorded`. */
  readonly type: string;
  readonly version: number;
  readonly topic: Topic;
  readonly schema: new () => T;
  /** The Kafka key: locality and order of one entity, never correctness. */
  readonly keyOf: (data: T) => string;
  /** The fact's own id (`ce_id`), never made up when it is sent, so that a repeat is recognisable. */
  readonly idOf: (data: T) => string;
  /** When it happened (`ce_time`), RFC 3339. */
  readonly timeOf: (data: T) => string;
  /** A frozen example: every sample ever published still parses. */
  readonly sample: T;
}

export interface EventContract<T extends TenantData = TenantData> extends EventDeclaration<T> {
  /** `baton.click.recorded.v1` */
  readonly ceType: string;
  readonly jsonSchema: () => JsonSchema;
}

/** A message as Kafka carries it, keys and values as bytes or text. */
export interface WireMessage {
  readonly key: string;
  readonly value: string;
  readonly headers: Record<string, string>;
}

/** What a consumer's handler gets. */
export interface Received<T extends TenantData = TenantData> {
  readonly contract: EventContract<T>;
  readonly id: string;
  readonly key: string;
  readonly data: T;
  readonly traceparent?: string;
}

/** What a handler gives: the contract and the data; the envelope is derived. */
export interface Outgoing<T extends TenantData = TenantData> {
  readonly contract: EventContract<T>;
  readonly data: T;
}

const registry = new Map<string, EventContract>();

export function defineEvent<T extends TenantData>(declaration: EventDeclaration<T>): EventContract<T> {
  const ceType = `baton.${declaration.type}.v${declaration.version}`;
  if (registry.has(ceType)) throw new Error(`${ceType} is defined twice`);
  const contract: EventContract<T> = { ...declaration, ceType, jsonSchema: () => schemaOf(declaration.schema) };
  registry.set(ceType, contract as unknown as EventContract);
  return contract;
}

/** Every contract, in the order of its topic and type. */
export const allContracts = (): EventContract[] =>
  [...registry.values()].sort((a, b) => (a.topic + a.ceType < b.topic + b.ceType ? -1 : 1));

export const emit = <T extends TenantData>(contract: EventContract<T>, data: T): Outgoing => ({ contract, data }) as unknown as Outgoing;

/** CloudEvents 1.0, Kafka binary mode. The same data always gives the same bytes. */
export function encode({ contract, data }: Outgoing, traceparent?: string): WireMessage {
  return {
    key: contract.keyOf(data),
    value: JSON.stringify(data),
    headers: {
      ce_specversion: '1.0',
      ce_id: contract.idOf(data),
      ce_source: `/baton/${contract.topic}`,
      ce_type: contract.ceType,
      ce_time: contract.timeOf(data),
      ce_dataschema: `urn:baton:schema:${contract.type}:v${contract.version}`,
      ce_tenant: data.tenantId,
      'content-type': 'application/json',
      ...(traceparent ? { traceparent } : {}),
    },
  };
}

/** Kafka allows a header without a value: it arrives as null, though kafkajs's types deny it. */
type HeaderValue = Buffer | string | null | (Buffer | string | null)[] | undefined;
export interface RawMessage {
  readonly key?: Buffer | string | null;
  readonly value?: Buffer | null;
  readonly headers?: Record<string, HeaderValue>;
}

/** Reads one message of a topic. Throws `InvalidEvent` and nothing else, whatever the bytes. */
export function parse(topic: Topic, message: RawMessage): Received {
  const contract = contractOf(topic, header(message, 'ce_type'));
  const data = validated(contract, parseJsonObject(message.value));
  const key = message.key === null || message.key === undefined ? null : message.key.toString();
  if (header(message, 'ce_tenant') !== data.tenantId) throw new InvalidEvent('wrong_tenant', 'ce_tenant is not the tenant of the data');
  if (key !== contract.keyOf(data)) throw new InvalidEvent('wrong_key', `the key of this message must be "${contract.keyOf(data)}"`);
  const id = header(message, 'ce_id');
  if (id !== contract.idOf(data)) throw new InvalidEvent('wrong_id', `ce_id must be "${contract.idOf(data)}"`);
  const traceparent = header(message, 'traceparent');
  return { contract, id, key, data, ...(traceparent ? { traceparent } : {}) };
}

/** Checks data that did not come from Kafka, such as what a producer is about to send. */
export function validated<T extends TenantData>(contract: EventContract<T>, value: object): T {
  if (isSurely(contract.schema, value)) return value as T;
  const data = instantiate(contract.schema, value);
  const problems = validateSync(data, { whitelist: true, forbidUnknownValues: true, stopAtFirstError: true });
  if (problems.length > 0) throw new InvalidEvent('schema', `${contract.ceType}: ${describe(problems).join('; ')}`);
  return data;
}

function instantiate<T extends object>(schema: new () => T, value: object): T {
  try {
    return plainToInstance(schema, value);
  } catch (error) {
    throw new InvalidEvent('schema', error instanceof Error ? error.message : String(error));
  }
}

function contractOf(topic: Topic, ceType: string | undefined): EventContract {
  if (!ceType) throw new InvalidEvent('unknown_type', 'the message has no ce_type header');
  const contract = registry.get(ceType);
  if (contract && contract.topic === topic) return contract;
  const name = ceType.replace(/\.v\d+$/, '');
  const siblings = [...registry.values()].filter((c) => c.topic === topic);
  if (siblings.some((c) => c.ceType.replace(/\.v\d+$/, '') === name))
    throw new InvalidEvent('unknown_version', `${ceType} is a version that ${topic} does not carry`);
  throw new InvalidEvent('unknown_type', `${ceType} is not a type of ${topic}; it carries ${siblings.map((c) => c.ceType).join(', ')}`);
}

function header(message: RawMessage, name: string): string | undefined {
  const value = message.headers?.[name];
  const first = Array.isArray(value) ? value[0] : value;
  return first === undefined || first === null ? undefined : first.toString();
}

function describe(problems: ValidationError[], path = ''): string[] {
  return problems.flatMap((problem) => {
    const here = path ? `${path}.${problem.property}` : problem.property;
    return [
      ...Object.values(problem.constraints ?? {}).map((text) => (path ? `${path}: ${text}` : text)),
      ...describe(problem.children ?? [], here),
    ];
  });
}
