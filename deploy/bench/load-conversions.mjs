// Conversions of advertisers' servers, for the load generator: orders that are new, and now and then one that was told before.
import { headerIn } from './answers.mjs';

const REPEAT_EVERY = 20;
/** A repeat is of an order so far back that its first answer has long come, as a job that ran twice would bring it. */
const REPEAT_BEHIND_MIN = 200;
const ID_DIGITS = 9;

/**
 * `accounts`: `{ key, clicks }` of each advertiser, in turns; `salt` makes the orders this generator's own. The order of a run is
 * `{ connections, mayRefuse? }`: where a refusal (429 or 503, saying when to come again) is an answer too.
 */
export function open({ accounts, salt, occurredAt }) {
  const heads = accounts.map(({ key }) => headOf(key));
  let number = 0;
  let asked = 0;
  let run = {};
  const request = (n) => {
    const { clicks } = accounts[n % accounts.length];
    return heads[n % heads.length](bodyOf(n, { salt, occurredAt, click: clicks[n % clicks.length] }));
  };
  return {
    begin({ connections, mayRefuse = false }) {
      const behind = Math.max(REPEAT_BEHIND_MIN, 4 * connections);
      run = { mayRefuse, behind, first: number, created: 0, repeated: 0, taken: 0, refused: 0, repeatsAsked: 0 };
    },
    next() {
      asked++;
      if (asked % REPEAT_EVERY === 0 && number - run.behind >= run.first) {
        run.repeatsAsked++;
        return request(number - run.behind);
      }
      return request(number++);
    },
    judge({ status, head }) {
      if (status === 201) run.created++;
      else if (status === 200) run.repeated++;
      else if (status === 202) run.taken++;
      else if (!run.mayRefuse || (status !== 429 && status !== 503)) return `answered ${status}`;
      else if (headerIn(head, 'retry-after') === undefined) return `answered ${status} without saying when to come again`;
      else run.refused++;
      return null;
    },
    counts: () => run,
    end() {},
  };
}

const headOf = (key) => {
  const head = `POST /v1/conversions HTTP/1.1\r\nHost: ingest.example\r\nUser-Agent: shop/4.1\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: `;
  return (body) => Buffer.from(`${head}${body.length}\r\n\r\n${body}`, 'latin1');
};

/** Of one number always the same body. ASCII alone: its length is its bytes. */
const bodyOf = (n, { salt, occurredAt, click }) =>
  JSON.stringify({
    external_id: `order-${salt}-${String(n).padStart(ID_DIGITS, '0')}`,
    click_id: click,
    customer_id: `customer-${n % 50_000}`,
    email: `buyer.${n % 50_000}@mail.example`,
    type: 'sale',
    amount_minor: 1_000 + (n % 90_000),
    currency: 'EUR',
    occurred_at: occurredAt,
    coupon_code: 'SPRING',
    line_items: [{ sku: `sku-${n % 700}`, category: 'garden', quantity: 1, amount_minor: 1_000 + (n % 90_000) }],
    metadata: { store: 'berlin', channel: 'web' },
  });
