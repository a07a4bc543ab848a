import type { Identifier, Outgoing } from '@baton/contracts';
import { at, click, clickIdOf, conversion, identity, link, program, reversal, verification } from './facts';

const id = (kind: Identifier['kind'], value: string): Identifier => ({ kind, value });

/** Two batches that meet, and what must be true of the conversions `o1` and `o2` when both are in, whoever came first. */
export interface Meeting {
  readonly before?: (tenant: string) => Outgoing[];
  readonly first: (tenant: string) => Outgoing[];
  readonly second: (tenant: string) => Outgoing[];
}

export const MEETINGS: Record<string, Meeting> = {
  'a click and the conversion that names it': {
    first: (t) => [click(t, 1, at(0))],
    second: (t) => [conversion(t, 'o1', at(5), { clickId: clickIdOf(t, 1, at(0)) })],
  },
  'a click of a visitor and a conversion of that visitor': {
    first: (t) => [click(t, 1, at(0), { visitorId: 'v' })],
    second: (t) => [conversion(t, 'o1', at(5), { visitorId: 'v' })],
  },
  'a conversion and the identity that ties its customer to a click': {
    before: (t) => [click(t, 1, at(0))],
    first: (t) => [conversion(t, 'o1', at(5), { customerId: 'k' })],
    second: (t) => [identity(t, id('click_id', clickIdOf(t, 1, at(0))), id('customer_id', 'k'))],
  },
  'a conversion and its reversal': {
    before: (t) => [click(t, 1, at(0))],
    first: (t) => [conversion(t, 'o1', at(5), { clickId: clickIdOf(t, 1, at(0)) })],
    second: (t) => [reversal(t, 'o1', 'r', 1_000, at(9))],
  },
  'a pending conversion and its verification': {
    before: (t) => [click(t, 1, at(0))],
    first: (t) => [conversion(t, 'o1', at(5), { clickId: clickIdOf(t, 1, at(0)), pendingVerification: true })],
    second: (t) => [verification(t, 'o1', at(9))],
  },
  'the click of a pending conversion and its verification': {
    before: (t) => [conversion(t, 'o1', at(5), { clickId: clickIdOf(t, 3, at(0)), pendingVerification: true })],
    first: (t) => [click(t, 3, at(0))],
    second: (t) => [verification(t, 'o1', at(9))],
  },
  // Of identifiers that are known already no insert makes anyone wait: only the lock on the person does.
  'a conversion of a known customer and the identity that ties that customer to a click': {
    before: (t) => [click(t, 1, at(0)), identity(t, id('customer_id', 'k'), id('email_hash', 'e'))],
    first: (t) => [conversion(t, 'o1', at(5), { customerId: 'k' })],
    second: (t) => [identity(t, id('click_id', clickIdOf(t, 1, at(0))), id('customer_id', 'k'))],
  },
  'a conversion of a known visitor and a click of that visitor': {
    before: (t) => [identity(t, id('visitor_id', 'v'), id('email_hash', 'e'))],
    first: (t) => [conversion(t, 'o1', at(5), { visitorId: 'v' })],
    second: (t) => [click(t, 1, at(0), { visitorId: 'v' })],
  },
  'two conversions of a known customer that name a click each': {
    before: (t) => [click(t, 1, at(0)), click(t, 1, at(1)), identity(t, id('customer_id', 'k'), id('email_hash', 'e'))],
    first: (t) => [conversion(t, 'o1', at(5), { customerId: 'k', clickId: clickIdOf(t, 1, at(0)) })],
    second: (t) => [
      conversion(t, 'o2', at(6), { customerId: 'k' }),
      identity(t, id('click_id', clickIdOf(t, 1, at(1))), id('email_hash', 'e')),
    ],
  },
  'a record of a click that is awaited and a second conversion that names it': {
    before: (t) => [conversion(t, 'o1', at(5), { clickId: clickIdOf(t, 1, at(0)) })],
    first: (t) => [click(t, 1, at(0))],
    second: (t) => [conversion(t, 'o2', at(6), { clickId: clickIdOf(t, 1, at(0)) })],
  },
  'a conversion whose external id is known and a second reversal of it': {
    before: (t) => [reversal(t, 'o1', 'r1', 1_000, at(9))],
    first: (t) => [conversion(t, 'o1', at(5), { clickId: clickIdOf(t, 1, at(0)) })],
    second: (t) => [reversal(t, 'o1', 'r2', 500, at(8))],
  },
  'two reversals of one conversion': {
    before: (t) => [conversion(t, 'o1', at(5), { customerId: 'k' })],
    first: (t) => [reversal(t, 'o1', 'r1', 1_000, at(9))],
    second: (t) => [reversal(t, 'o1', 'r2', 500, at(8))],
  },
  'two identities that join A to B and B to C': {
    before: (t) => [
      identity(t, id('click_id', clickIdOf(t, 1, at(0))), id('customer_id', 'a')),
      conversion(t, 'o1', at(5), { customerId: 'c' }),
      identity(t, id('customer_id', 'b'), id('visitor_id', 'vb')),
    ],
    first: (t) => [identity(t, id('customer_id', 'a'), id('customer_id', 'b'))],
    second: (t) => [identity(t, id('customer_id', 'b'), id('customer_id', 'c'))],
  },
  'two batches that name the same in opposite order': {
    before: (t) => [conversion(t, 'o1', at(5), { customerId: 'a' }), conversion(t, 'o2', at(5), { customerId: 'z' })],
    first: (t) => [
      identity(t, id('customer_id', 'a'), id('email_hash', 'a1')),
      identity(t, id('customer_id', 'z'), id('email_hash', 'z1')),
      identity(t, id('click_id', clickIdOf(t, 1, at(0))), id('customer_id', 'z')),
    ],
    second: (t) => [
      identity(t, id('customer_id', 'z'), id('email_hash', 'z2')),
      identity(t, id('customer_id', 'a'), id('email_hash', 'a2')),
      identity(t, id('click_id', clickIdOf(t, 1, at(1))), id('customer_id', 'a')),
    ],
  },
  'new facts of the same keys in opposite order': {
    first: (t) => [
      click(t, 1, at(0)),
      click(t, 1, at(1)),
      conversion(t, 'o1', at(5), { customerId: 'a' }),
      conversion(t, 'o2', at(5), { clickId: clickIdOf(t, 1, at(1)) }),
    ],
    second: (t) => [
      click(t, 1, at(1)),
      click(t, 1, at(0)),
      conversion(t, 'o2', at(5), { clickId: clickIdOf(t, 1, at(1)) }),
      conversion(t, 'o1', at(5), { customerId: 'a' }),
      identity(t, id('click_id', clickIdOf(t, 1, at(0))), id('customer_id', 'a')),
    ],
  },
  'a conversion and the link of its click': {
    before: () => [],
    first: (t) => [conversion(t, 'o1', at(5), { clickId: clickIdOf(t, 3, at(0)) })],
    second: (t) => [link(t, 3)],
  },
  'a conversion and a new version of its terms': {
    before: (t) => [click(t, 1, at(0))],
    first: (t) => [conversion(t, 'o1', at(5), { clickId: clickIdOf(t, 1, at(0)) })],
    second: (t) => [program(t, 'odd', 2, { windowMs: 1_000 })],
  },
};
