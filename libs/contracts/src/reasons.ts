/** What became of a request at the conversion edge. */
export const VERDICTS = ['accepted', 'duplicate', 'validated', 'ignored', 'rejected'] as const;
export type EdgeVerdict = (typeof VERDICTS)[number];

/** The closed list of reason codes: every answer of the conversion edge carries one. HTTP status and what to do. */
export const REASON_CODES = {
  accepted: { status: 201, help: 'Stored. Follow it at GET /v1/receipts/{id}.' },
  duplicate: { status: 200, help: 'The same request was accepted before; this is its receipt.' },
  validated: { status: 200, help: 'It would be accepted. Nothing was stored, because validate_only was set.' },
  ignored: { status: 200, help: 'It was understood, and nothing in it is a fact by your settings: no conversion, refund or identity.' },
  conflict: { status: 409, help: 'This id was accepted before with another body. Send the same body, or a new id.' },
  click_forged: {
    status: 422,
    help: 'The click id was not issued for this tenant, or was altered. Send the id as it arrived on your landing page.',
  },
  click_unknown: {
    status: 422,
    help: 'This is no click id of Baton’s. Send the id as it arrived on your landing page, under the parameter that the program names.',
  },
  outside_window: { status: 422, help: 'The click is older than the program’s window, and nothing else was named.' },
  evidence_missing: { status: 422, help: 'Name at least one of click_id, customer_id.' },
  program_unknown: { status: 422, help: 'No program can be told from the request. Name program_id.' },
  program_paused: { status: 422, help: 'The program is paused.' },
  currency_unknown: { status: 422, help: 'Send an ISO 4217 code in capitals, such as EUR.' },
  currency_mismatch: { status: 422, help: 'A reversal must be in the currency of its conversion.' },
  amount_invalid: { status: 422, help: 'Send amount_minor as a whole number of minor units, zero or more.' },
  reversal_id_missing: { status: 422, help: 'A partial reversal needs reversal_id, so that a repeat can be told from a second refund.' },
  confirm_needed: {
    status: 422,
    help: 'This takes back more than may go unconfirmed; the numbers are in would_take_back. Send it again with "confirm": true.',
  },
  reversal_unknown: {
    status: 422,
    help: 'Nothing that was received is meant by this. Look at the id, or name order_id, which may arrive later.',
  },
  line_unknown: { status: 422, help: 'The conversion has no line of this sku. Name line items as the conversion did.' },
  selection_too_large: {
    status: 422,
    help: 'More than 2,000 conversions would be taken back in one request. Take them back order by order.',
  },
  identifiers_missing: { status: 422, help: 'Name at least two identifiers.' },
  idempotency_key_invalid: {
    status: 400,
    help: 'Send Idempotency-Key as 1 to 255 visible characters, bare or as a quoted string.',
  },
  idempotency_key_reused: { status: 422, help: 'This Idempotency-Key was used with another body. Send the same body, or a new key.' },
  self_referral: {
    status: 422,
    help: 'The customer would refer themself: the link is their own, or that of somebody whom they referred. It earns nothing; send it without that link, or not at all.',
  },
  too_old: { status: 422, help: 'occurred_at lies further back than is accepted.' },
  in_future: { status: 422, help: 'occurred_at lies in the future by more than the clock skew.' },
  malformed: { status: 400, help: 'The body is not what this endpoint reads; every problem is named.' },
  too_large: { status: 413, help: 'The body is too large or nested too deeply.' },
  unsupported_media_type: { status: 415, help: 'Send application/json.' },
  unauthorised: { status: 401, help: 'Send a live API key as "Authorization: Bearer <key>".' },
  address_not_allowed: {
    status: 403,
    help: 'This key does not work from this address. Call from one on its allow list, or have the list changed.',
  },
  signature_invalid: {
    status: 401,
    help: 'This key works for signed requests alone, and this one is unsigned or wrongly signed. Sign id.timestamp.body as Standard Webhooks describes.',
  },
  signature_expired: {
    status: 401,
    help: 'webhook-timestamp is more than 5 minutes from now. Set the clock, and sign every attempt anew.',
  },
  scope_missing: { status: 403, help: 'This key may not do that; its scopes are named.' },
  operator_only: { status: 403, help: 'Only the platform operator may do this.' },
  tenant_missing: { status: 400, help: 'Name the tenant to act for in the header Baton-Tenant.' },
  tenant_mismatch: { status: 403, help: 'This key belongs to another tenant than the header Baton-Tenant names. Leave the header out.' },
  slug_taken: { status: 409, help: 'This slug is in use. Choose another, or leave it out to get one.' },
  key_taken: { status: 409, help: 'Another partner has this key. Choose another, or leave it out to get one.' },
  destination_refused: { status: 422, help: 'The destination is not one that this program allows; every problem is named.' },
  utm_refused: {
    status: 422,
    help: 'The UTM values are not those of the program’s convention; every problem is named, with the spelling that was probably meant.',
  },
  domain_taken: { status: 409, help: 'This host is in use. Choose another.' },
  partner_unknown: { status: 422, help: 'There is no such partner to make links for.' },
  terms_in_past: { status: 422, help: 'New terms begin now or later: what was earned keeps the terms under which it was earned.' },
  deleted: { status: 409, help: 'It was deleted, and that is final.' },
  not_found: { status: 404, help: 'There is nothing here for this key.' },
  over_quota: { status: 429, help: 'Too many requests. Try again after Retry-After.' },
  unavailable: { status: 503, help: 'Nothing was stored. Try again after Retry-After.' },
  internal: { status: 500, help: 'This is our fault. Nothing was stored; try again, and report the request id.' },
} as const satisfies Record<string, { status: number; help: string }>;
export type ReasonCode = keyof typeof REASON_CODES;
