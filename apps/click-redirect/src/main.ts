import { run } from '@baton/platform';
import { compose } from './app.module';
import { drain } from './drain';
import { Env } from './env';

const [first, ...rest] = process.argv.slice(2);
if (first === '--drain') void drain(rest, process.env).then((code) => process.exit(code), failed);
else void run({ service: 'click-redirect', env: Env, compose });

function failed(error: unknown): never {
  console.error(`click-redirect --drain: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(78);
}
