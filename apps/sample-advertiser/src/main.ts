import { Baton } from './baton';
import { readEnv } from './env';
import { Orders } from './orders';
import { openShop } from './shop';

const HELP = `A small shop that shows how an advertiser talks to Baton.

  BATON_URL=http://127.0.0.1:4001 BATON_API_KEY=bk_live_... node dist/main.js

  BATON_URL          where conversion-ingest listens
  BATON_API_KEY      a key with conversions:write, reversals:write and receipts:read
  PORT               8080; 0 takes a free one
  HOST               127.0.0.1
  LANDING_PARAM      click_id; the parameter that the program names
  ORDERS_FILE        orders.jsonl; what was sold, and what Baton answered
`;

async function main(): Promise<void> {
  if (process.argv.includes('--help')) return void process.stdout.write(HELP);
  const env = readEnv(process.env);
  const orders = await Orders.open(env.ordersFile);
  const baton = new Baton({ url: env.batonUrl, apiKey: env.batonApiKey, orders });
  const shop = await openShop({ host: env.host, port: env.port, landingParam: env.landingParam, orders, baton });
  baton.start();
  console.log(`shop ready on ${shop.url}`);
  const stop = async (): Promise<void> => {
    await shop.close();
    await baton.stop();
    process.exit(0);
  };
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(2);
});
