import type { Problem } from '@baton/platform';
import { reasonOf, type Told } from '../intake';
import { type Door, type DoorAnswer, isPassing } from './door';
import { text } from './shape';
import { BILLING_REASONS, eventIn, factsOf, joinsOf, readEvent } from './stripe/events';
import { isSigned } from './stripe/signature';

/** An invoice with hundreds of lines. */
const EVENT_MAX_BYTES = 1024 * 1024;
const PATH = '/doors/stripe/:endpoint';

export const door: Door = {
  name: 'stripe',
  speaks:
    'Stripe’s webhooks, snapshot events: paid checkouts and invoices, refunds, disputes. Sign up the endpoint that POST /v1/doors/stripe/endpoints gives you.',
  isLoose: true,
  endpoints: {
    path: PATH,
    secret: /^whsec_[A-Za-z0-9+/=_-]{10,200}$/,
    secretIs: 'a signing secret of the endpoint as Stripe shows it, whsec_…',
  },
  settings: {
    program_id: { is: 'text', like: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, help: 'the id of a program' },
    click_metadata: { is: 'list', of: text(40), max: 10 },
    billing_reasons: { is: 'list', of: { is: 'one of', of: BILLING_REASONS }, max: BILLING_REASONS.length },
    refunds: { is: 'one of', of: ['charge', 'refund'] },
    disputes: { is: 'one of', of: ['created', 'lost'] },
  },
  routes: [
    {
      method: 'POST',
      path: PATH,
      scope: 'conversions:write',
      bodyMaxBytes: EVENT_MAX_BYTES,
      isSigned,
      read: (request, settings, known) => factsOf(readEvent(request.json(), known), settings, known),
      joins: (request, settings) => joinsOf(eventIn(request.json()), settings),
      answer: (told) => answer(told),
      refuse: (problem) => refuse(problem),
    },
  ],
};

/**
 * What will not become right by itself is answered with 200 too, and says why: anything else is sent again for three days, and then
 * Stripe switches the endpoint off. Its dashboard shows this body beside the event.
 */
function answer(told: readonly Told[]): DoorAnswer {
  const passing = told.find((one) => one.kind === 'rejected' && isPassing(one.problem.code));
  if (passing?.kind === 'rejected') return refuse(passing.problem);
  const facts = told.map((one) => ({
    verdict: one.kind,
    reason: reasonOf(one),
    receipt_id: one.receiptId,
    ...(one.kind === 'rejected' ? { detail: one.problem.detail } : { kind: one.answer['kind'] }),
  }));
  return { status: 200, body: { received: true, facts } };
}

/** A wrong signature, like whatever cannot be read, is 400. */
const refuse = (problem: Problem): DoorAnswer => ({
  status: isPassing(problem.code) ? problem.status : 400,
  body: { error: { code: problem.code, message: problem.detail } },
});
