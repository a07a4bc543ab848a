export interface Env {
  readonly batonUrl: string;
  readonly batonApiKey: string;
  readonly host: string;
  readonly port: number;
  readonly landingParam: string;
  readonly ordersFile: string;
}

/** Every problem at once. */
export function readEnv(env: Readonly<Record<string, string | undefined>>): Env {
  const {
    BATON_URL = '',
    BATON_API_KEY = '',
    HOST = '127.0.0.1',
    PORT = '8080',
    LANDING_PARAM = 'click_id',
    ORDERS_FILE = 'orders.jsonl',
  } = env;
  const problems = [
    URL.canParse(BATON_URL) ? null : 'BATON_URL must be the URL of conversion-ingest, such as http://127.0.0.1:4001',
    BATON_API_KEY === '' ? 'BATON_API_KEY must be an API key' : null,
    /^\d{1,5}$/.test(PORT) ? null : 'PORT must be a number',
  ].filter((problem) => problem !== null);
  if (problems.length > 0) throw new Error(`${problems.join('\n')}\nTry --help.`);
  return {
    batonUrl: BATON_URL.replace(/\/+$/, ''),
    batonApiKey: BATON_API_KEY,
    host: HOST,
    port: Number(PORT),
    landingParam: LANDING_PARAM,
    ordersFile: ORDERS_FILE,
  };
}
