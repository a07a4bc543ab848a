// A catalog of ten thousand links, published as control-plane does: through Kafka, by the contracts.
import { createRequire } from 'node:module';
import { randomOf } from './random.mjs';

const require = createRequire(import.meta.url);
const { emit, encode, LinkChanged, PartnerChanged, ProgramChanged } = require('@baton/contracts');

const TENANTS = 5;
const PROGRAMS = 20;
const PARTNERS = 200;
const MESSAGES_AT_ONCE = 500;

/** Gives the slugs, once every entity is in the topic. `send(topic, messages)` keeps the order. */
export async function publishCatalog({ links, send }) {
  const random = randomOf(42);
  const programs = Array.from({ length: PROGRAMS }, (_, i) => programOf(i));
  const partners = Array.from({ length: PARTNERS }, (_, i) => partnerOf(i));
  const all = Array.from({ length: links }, (_, i) => linkOf(i, random));
  const changes = [
    ...programs.map((data) => [ProgramChanged, data]),
    ...partners.map((data) => [PartnerChanged, data]),
    ...all.map((data) => [LinkChanged, data]),
  ].map(([contract, data], i) => ({ contract, message: encode(emit(contract, { ...data, catalogVersion: i + 1 })) }));
  for (let from = 0; from < changes.length; from += MESSAGES_AT_ONCE) {
    const some = changes.slice(from, from + MESSAGES_AT_ONCE);
    await send(
      some[0].contract.topic,
      some.map(({ message }) => message),
    );
  }
  return all.map(({ slug }) => slug);
}

const uuid = (kind, i) => `${kind}0000000-0000-4000-8000-${i.toString(16).padStart(12, '0')}`;
const tenantOf = (i) => uuid(1, i % TENANTS);
const hostOf = (program) => `shop-${program}.example`;

/** Every second program governs its UTM values; all spell their landing parameter alike, so that every answer is read the same way. */
const programOf = (i) => ({
  ...ProgramChanged.sample,
  tenantId: tenantOf(i),
  id: uuid(2, i),
  name: `Program ${i}`,
  destinationHosts: [hostOf(i), `www.${hostOf(i)}`],
  ...(i % 2 === 1 ? { utmConvention: { sources: ['partners', 'creators'], campaigns: ['spring', 'summer', 'autumn'] } } : {}),
});

const partnerOf = (i) => ({ ...PartnerChanged.sample, tenantId: tenantOf(i), id: uuid(3, i), name: `Partner ${i}`, key: `partner-${i}` });

/** One link in ten chooses by country and device, or tries two pages against each other; none is capped: each visit is to get a click id. */
function linkOf(i, random) {
  // Programs and partners of a link are of its tenant: both counts are multiples of the number of tenants.
  const program = (i % TENANTS) + TENANTS * Math.floor(random() * (PROGRAMS / TENANTS));
  const partner = (i % TENANTS) + TENANTS * Math.floor(random() * (PARTNERS / TENANTS));
  const page = (name) => `https://${hostOf(program)}/${name}/${i}?ref=baton`;
  return {
    ...LinkChanged.sample,
    tenantId: tenantOf(i),
    id: uuid(4, i),
    slug: `bench-${i.toString(36)}`,
    number: i + 1,
    programId: uuid(2, program),
    partnerId: uuid(3, partner),
    destination: page('products'),
    subIds: i % 4 === 0 ? { sub3: 'newsletter' } : {},
    ...(i % 10 === 3 ? { targets: targetsOf(page) } : {}),
  };
}

const targetsOf = (page) => [
  { countries: ['DE', 'AT', 'CH'], choices: [{ destination: page('de'), weight: 1 }] },
  { devices: ['mobile'], choices: [{ destination: page('app'), weight: 1 }] },
  {
    choices: [
      { destination: page('a'), weight: 1 },
      { destination: page('b'), weight: 1 },
    ],
  },
];
